"""What a process costs, seen from outside, and how figures are shown."""

import asyncio
import json
import math
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

TICKS_S = 1 / os.sysconf("SC_CLK_TCK")
EVERY_S = 0.1  # between two looks at a process


class Look(NamedTuple):
    """A process at one instant."""

    at_s: float  # seconds since 1970
    cpu_s: float  # processor time used so far, of the kernel for it too


class Watched:
    """Looks at a process from time to time until it ends or is let go of."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        """`log`: what it says; a worker says it as JSON lines."""
        self.process, self.log, self.looks = process, log, [look(process.pid)]
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                self.looks.append(look(self.process.pid))
            except (OSError, IndexError):
                return

    def cpu_s(self, begin_s: float, end_s: float) -> float:
        """Processor time between two instants, between looks in proportion."""
        return self._at(end_s) - self._at(begin_s)

    def _at(self, instant_s: float) -> float:
        before = self.looks[0]
        for after in self.looks[1:]:
            if after.at_s >= instant_s:
                part = max(0.0, instant_s - before.at_s) / (after.at_s - before.at_s)
                return before.cpu_s + (after.cpu_s - before.cpu_s) * min(1.0, part)
            before = after
        return before.cpu_s

    def peak_mib(self) -> float:
        """The most memory it has had, as long as it lives."""
        return peak_mib(self.process.pid)

    def opened(self) -> set[int]:
        """The partitions that a worker says it works on."""
        found: set[int] = set()
        for text in self.log.read_text(errors="replace").splitlines():
            try:
                said = json.loads(text)
            except ValueError:
                continue
            if said.get("event") == "opened":
                found.add(said["partition"])
            elif said.get("event") in ("closed", "died"):
                found.discard(said["partition"])
        return found

    async def end(self, grace_s: float = 30.0) -> int:
        """Asks it to stop. Returns its exit code; it is killed when it takes too long."""
        self._task.cancel()
        self.process.terminate()
        deadline = time.monotonic() + grace_s
        while self.process.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()


def look(pid: int) -> Look:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return Look(time.time(), (int(fields[11]) + int(fields[12])) * TICKS_S)


def peak_mib(pid: int | str) -> float:
    """The most memory that a process has had. (What `getrusage` says begins with its parent's.)"""
    for said in Path(f"/proc/{pid}/status").read_text().splitlines():
        if said.startswith("VmHWM"):
            return int(said.split()[1]) / 1024
    return math.nan


def quantile(sorted_values: Sequence[float], part: float) -> float:
    return (
        sorted_values[min(len(sorted_values) - 1, int(part * len(sorted_values)))]
        if sorted_values
        else math.nan
    )


def median(values: Sequence[float]) -> float:
    return quantile(sorted(values), 0.5)


def line(what: str, said: str, goal: str = "", met: bool = True) -> None:
    """One figure, with its goal if it has one."""
    print(
        f"  {what:46}{said:>34}" + (f"   goal {goal}: {'met' if met else 'MISSED'}" if goal else ""),
        flush=True,
    )
