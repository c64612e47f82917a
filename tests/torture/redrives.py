"""`streams redrive` against the workers of a run: some commands are killed, and some come to their end."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.torture.command import FEW, MANY, SENDS
from tests.torture.fleet import DEFECT, ROOT, Fleet
from tests.torture.plan import Hit, Redriving

KILL_S = (0.0, 1.5)  # when a command is killed, after it has begun to send
TIMEOUT_S = 60  # without a receipt, while workers are there
WORKER_S = 4.0  # a worker is killed so long after a command was started, or sooner
END_S = 600.0  # by then a command has ended, however busy the machine, or it hangs


def begin(command: Sequence[str], out: Path, err: Path) -> "subprocess.Popen[bytes]":
    """A command that is looked at now and then. It speaks to files: a pipe that nobody empties holds it up,
    once it has said 64 KiB.
    """
    with out.open("wb") as stdout, err.open("wb") as stderr:
        return subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=dict(os.environ)
        )


class Redrives:
    """The commands of a run."""

    def __init__(self, bootstrap: str, app: str, directory: Path, fleet: Fleet) -> None:
        self._address, self._directory, self._fleet = ["--kafka", bootstrap, "--app", app], directory, fleet
        self._number = 0
        self.ended: list[dict[str, object]] = []  # what the last commands said, which were left alone

    async def now_and_then(self, redrives: Sequence[Redriving]) -> None:
        """While events come and workers are hit: each at its time."""
        began_s = asyncio.get_running_loop().time()
        for one in sorted(redrives):
            await asyncio.sleep(max(0.0, began_s + one.at_s - asyncio.get_running_loop().time()))
            await self._redrive(one)

    async def once_more(self, redrives: Sequence[Redriving]) -> None:
        """When everything else is over: workers and commands are killed meanwhile, and the last two commands
        come to their end.
        """
        for one in redrives:
            beside = asyncio.create_task(self._redrive(one))
            if one.hits_worker:
                await asyncio.sleep(WORKER_S * one.wait)
                self._fleet.say(self._fleet.hit(Hit(0.0, "kill", one.wait, one.wait)))
            await beside
        await self._fleet.settle()
        for letter in ("late", "rejected"):
            process = self._begin(letter, ("tests.torture.worker", "-"))
            code = await self._ends(process, END_S)
            out = self._file("json").read_bytes()
            self._fleet.say(f"redrive {letter}: exit code {code}, {out.decode().strip()[:300]}")
            if code == 0:
                self.ended.append(json.loads(out))
            else:
                self._fleet.faults.append(f"redrive {letter} ended with exit code {code}: {self._log()}")

    async def _redrive(self, one: Redriving) -> None:
        at_once = FEW if one.is_killed else MANY
        process = self._begin(one.letter, ("tests.torture.command", str(at_once)))
        log = self._log()
        code = await self._ends(process, END_S, log if one.is_killed else None)
        if code is None and one.is_killed:
            code = await self._ends(process, KILL_S[0] + (KILL_S[1] - KILL_S[0]) * one.wait)
        if code is None:
            process.kill()
            await asyncio.to_thread(process.wait)
        self._fleet.note("redrive")
        self._fleet.say(f"redrive {one.letter}: " + ("kill -9" if code is None else f"exit code {code}"))
        if code == DEFECT or (code is None and not one.is_killed):
            self._fleet.faults.append(f"redrive {one.letter} ended with {code}: {self._log()}")

    def _begin(self, letter: str, module: Sequence[str]) -> "subprocess.Popen[bytes]":
        self._number += 1
        command = [sys.executable, "-m", *module, "redrive", letter, *self._address]
        return begin([*command, "--json", "--timeout", f"{TIMEOUT_S}s"], self._file("json"), self._log())

    def _log(self) -> Path:
        return self._file("log")

    def _file(self, kind: str) -> Path:
        return self._directory / f"redrive-{self._number}.{kind}"

    async def _ends(
        self, process: "subprocess.Popen[bytes]", within_s: float, log: Path | None = None
    ) -> int | None:
        """Its exit code; None if it goes on for longer than this, or has begun to send, as its log says."""
        deadline_s = asyncio.get_running_loop().time() + within_s
        while process.poll() is None and asyncio.get_running_loop().time() < deadline_s:
            if log is not None and SENDS.encode() in log.read_bytes():
                break
            self._fleet.look()
            await asyncio.sleep(0.1)
        return process.poll()
