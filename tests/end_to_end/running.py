"""Runs the real command, and reads what it left behind as a consumer would."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests import oracle

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()"]
MOMENTS = ("know", "go", "do", "buy", "truth")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def start(*args: str | Path, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
    )


def run(*args: str | Path, **env: str) -> str:
    """Standard output of a command that must succeed."""
    process = start(*args, **env)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


def standing(data_dir: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in run("transitions", "--data-dir", data_dir, "--json", "--net").splitlines()
    ]


def step(t: dict[str, Any]) -> oracle.Step:
    """A wire transition in the oracle's words, less what the oracle of the
    shop does not know: rules and dimensions.
    """

    def ms(text: str) -> int:
        return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)

    def moment(name: str | None) -> int | None:
        return None if name is None else MOMENTS.index(name)

    first = moment(t["furthest"])
    assert first is not None
    return oracle.Step(
        kind=t["kind"], need=t["need"] or "", at=ms(t["at"]), event=t["event"], journey=t["journey"],
        from_=moment(t["from"]), to=moment(t["to"]),
        skipped=tuple(MOMENTS.index(m) for m in t["skipped"]),
        dwell_ms=None if t["dwell_s"] is None else round(t["dwell_s"] * 1000),
        opened_at=ms(t["opened_at"]), furthest_before=moment(t["furthest_before"]), furthest=first,
        first_entry=t["first_entry"], dims=0, opened_dims=0, offset=0, rule=None,
    )  # fmt: skip


def as_published(s: oracle.Step) -> oracle.Step:
    """An oracle's step, less what a wire transition does not say."""
    # of the wire, it may be null
    return s._replace(rule=None, event=None if s.kind in ("stalled", "abandoned") else s.event)  # type: ignore[arg-type]
