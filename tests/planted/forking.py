"""Runs each task in a fork of a process that has imported the libraries, but nothing of the product: planting
a bug takes a process of its own, and most of what such a process does is to import.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
# What tests and product import, by name: nothing here uses them.
LIBRARIES = (
    "aiokafka",
    "asyncio",
    "hypothesis.stateful",
    "msgspec.json",
    "orjson",
    "pydantic_settings",
    "pytest_asyncio.plugin",
    "xdist.plugin",
)
HANGS_S = 3_600  # a hunt through all seeds takes minutes; a busy machine is ten times slower

Task = dict[str, Any]
"""What is to be done, and with which arguments: {"do": "bug", "number": 3, "likely": 0}."""


class Done(NamedTuple):
    """How a task ended."""

    code: int
    said: str  # on its standard output and error


class Forks:
    """A process that does tasks, one after the other, each in a fork of itself."""

    def __init__(self) -> None:
        # The laws make their own number of examples: a bug is to be caught by what a newcomer runs.
        env = {name: value for name, value in os.environ.items() if name != "EXAMPLES"}
        command = [sys.executable, "-m", "tests.planted", "--serve"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env
        )

    def run(self, **task: Any) -> Done:
        """Does one task."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"it ended with {self._process.wait()} in {task}"
        return Done(**json.loads(answer))

    def close(self) -> None:
        """Ends the process, and waits for it."""
        self._process.communicate()


def serve(tasks: Mapping[str, Callable[..., int | None]]) -> None:
    """Does what each line of standard input asks for, and answers with a line, until there are no more."""
    _import_libraries()
    for line in sys.stdin:
        task = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            _end(tasks[task.pop("do")], task)
        os.close(writing)
        with open(reading, encoding="utf-8", errors="replace") as output:
            said = output.read()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps(Done(code, said)._asdict()), flush=True)


def _end(do: Callable[..., int | None], arguments: Task) -> None:
    """Does it, and ends this process with its code, past all that the parent would do at its end."""
    code = 70
    signal.alarm(HANGS_S)
    try:
        code = do(**arguments) or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _import_libraries() -> None:
    for name in LIBRARIES:
        import_module(name)
    assert not [name for name in sys.modules if name.startswith("streams")], "nothing of the product yet"
