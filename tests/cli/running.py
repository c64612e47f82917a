"""Runs the command: in this process, which is quick, or as a process of its own, as a user does."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from streams.cli.app import command_line

STREAMS = (sys.executable, "-c", "from streams.cli import main; main()")
TIMEOUT_S = 180  # of a few commands of a second or two each, on a machine that is busy
ROOT = Path(__file__).parents[2]


def streams(*arguments: object, input: str | None = None) -> Result:
    """The outcome of a command: `exit_code`, `stdout`, `stderr`.

    Raises any error that is not an expected one.
    """
    result = CliRunner().invoke(command_line, [str(argument) for argument in arguments], input=input)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def without_progress(stderr: str) -> str:
    """Standard error without the lines that tell how far long work is: a slow machine prints some."""
    return re.sub(r"^\w+: \d+%, .*\n", "", stderr, flags=re.MULTILINE)


def lines(*arguments: object) -> list[Any]:
    """The JSON lines that a command prints; it must succeed."""
    result = streams(*arguments)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def process(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """The command as a process, in the root of the project unless `options` name another directory."""
    command = [*STREAMS, *(str(argument) for argument in arguments)]
    return subprocess.Popen(
        command, **{"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    )


def event(who: str, name: str, time: str, **more: Any) -> dict[str, Any]:
    """A Segment event on 20 May 2024."""
    stamp = f"2024-05-20T{time}Z"
    return {
        "type": "track",
        "messageId": f"{who}-{name}-{time}",
        "userId": who,
        "event": name,
        "timestamp": stamp,
        **more,
    }


def write(path: Path, events: Iterable[dict[str, Any] | str]) -> Path:
    """A file of JSON lines; a text becomes a line as it is."""
    path.write_text(
        "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in events),
        encoding="utf-8",
    )
    return path


SMALL = (
    event("ann", "Product Viewed", "10:00:00"), event("ann", "Product Added", "10:05:00"),
    event("ann", "Order Completed", "10:06:00"),
    event("bob", "Product Viewed", "10:07:00"), "{", event("bob", "Product Viewed", "10:07:00"),
)  # fmt: skip
