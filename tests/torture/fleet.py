"""The workers of a run, each the real command in a process of its own, and what is done to them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.plan import LEAST, MOST, SESSION_S, Hit, Plan

ROOT = Path(__file__).parents[2]
DEFECT = 1  # exit code: nothing that a worker knows of
READY_S = 180.0  # on a busy machine
GRACE_S = 25.0  # a worker that was asked to stop has stopped by then
REST_S = (0.3, 4.0)  # a service manager starts a worker again after so long
FREEZE_S = (0.2, 3.0)  # shorter than the session: nobody is replaced for it, and longer than a batch
ZOMBIE_S = (0.5, 5.0)  # on top of the session


@dataclass
class Worker:
    """One process."""

    number: int
    process: "subprocess.Popen[bytes]"
    log: Path
    name: str  # in the group, if workers have names there
    frozen: bool = False


@dataclass
class Fleet:
    """Who is alive, and what became of the others."""

    command: Sequence[str]  # what a worker is started with
    plan: Plan
    directory: Path
    say: Callable[[str], None]
    live: list[Worker] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # what no worker may do
    met: dict[str, int] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)  # beside the plan's
    _number: int = 0
    _later: set["asyncio.Task[None]"] = field(default_factory=set)
    # Of workers that are gone: who comes next has the name of who left first.
    _names: list[str] = field(default_factory=list)
    _over: bool = False

    def add(self) -> Worker:
        self._number += 1
        log = self.directory / f"worker-{self._number}.log"
        env = {**os.environ, "STREAMS_WEB__PORT": "0"}
        settings = {**self.plan.settings, **self.settings, "idle_after": self.plan.idle_after}
        env |= {f"STREAMS_{name}": value for name, value in _variables(settings)}
        name = self._names.pop(0) if self._names else f"worker-{self._number}"
        if self.plan.static:
            env["STREAMS_KAFKA__INSTANCE"] = name
        with log.open("wb") as out:
            process = subprocess.Popen(
                self.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env
            )
        worker = Worker(self._number, process, log, name)
        self.live.append(worker)
        return worker

    async def ready(self) -> None:
        """Waits until each has opened a partition.

        One that takes longer than anything should is not waited for: the run will tell.
        """
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and not all(
            b"opened" in worker.log.read_bytes() for worker in self.live
        ):
            await asyncio.sleep(0.1)

    def look(self) -> None:
        """A worker that ended by itself gave up too soon.

        Another takes its place, as a service manager would have it.
        """
        for worker in [worker for worker in self.live if worker.process.poll() is not None]:
            self.live.remove(worker)
            self._names.append(worker.name)
            self.note("ended by itself")
            if worker.process.returncode == DEFECT:
                self.faults.append(
                    f"worker {worker.number} ended with exit code {DEFECT}, which stands for a defect: "
                    f"{worker.log}"
                )
            self.say(
                f"worker {worker.number} ended by itself with exit code {worker.process.returncode}: "
                f"{worker.log}"
            )
            self.add()

    def hit(self, hit: Hit) -> str:
        """Does it; says what was done. A hit for which nobody is there becomes a join."""
        upright = [worker for worker in self.live if not worker.frozen]
        kind = hit.kind
        if (kind == "join" and len(self.live) >= MOST) or (
            kind in ("kill", "term", "zombie") and len(upright) <= LEAST
        ):
            kind = "term" if kind == "join" else "join"
        self.note(kind)
        if kind == "join":
            return f"joins: worker {self.add().number}"
        worker = upright[int(hit.victim * len(upright))]
        who = f"worker {worker.number} (pid {worker.process.pid})"
        if kind == "kill":
            self.live.remove(worker)
            worker.process.kill()
            worker.process.wait()
            self._names.append(worker.name)
            self.later(self.replace(_between(REST_S, hit.wait)))
            return f"kill -9: {who}"
        if kind == "term":
            self.live.remove(worker)
            self.later(self.leave(worker, _between(REST_S, hit.wait)))
            return f"SIGTERM: {who}"
        worker.frozen = True
        for_s = SESSION_S + _between(ZOMBIE_S, hit.wait) if kind == "zombie" else _between(FREEZE_S, hit.wait)
        worker.process.send_signal(signal.SIGSTOP)
        self.later(self.thaw(worker, for_s))
        return f"{'SIGSTOP past its session' if kind == 'zombie' else 'SIGSTOP'} for {for_s:.1f} s: {who}"

    async def replace(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if len(self.live) < self.plan.workers and not self._over:
            self.say(f"comes: worker {self.add().number}")

    async def leave(self, worker: Worker, rest_s: float) -> None:
        """It is to finish what it has begun and end with 0, soon."""
        began = time.monotonic()
        worker.process.terminate()
        while worker.process.poll() is None and time.monotonic() - began < GRACE_S:
            await asyncio.sleep(0.05)
        code = worker.process.poll()
        if code is None:
            worker.process.kill()
            worker.process.wait()
        self._names.append(worker.name)
        # It had not come to listen for signals yet.
        early = code == -signal.SIGTERM and not worker.log.stat().st_size
        if code != 0 and not early:
            ended = "did not" if code is None else f"ended with exit code {code}"
            self.faults.append(f"worker {worker.number}, asked to stop, {ended}: {worker.log}")
        self.say(f"left: worker {worker.number} after {time.monotonic() - began:.1f} s, exit code {code}")
        await self.replace(rest_s)

    async def thaw(self, worker: Worker, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGCONT)
            self.say(f"SIGCONT: worker {worker.number}")
        worker.frozen = False

    async def renew(self, settings: dict[str, str]) -> None:
        """Each is asked to leave, and another comes that runs under these settings besides."""
        self.settings |= settings
        leaving, self.live = self.live, []
        for _ in range(len(leaving)):
            self.add()
        await self.ready()
        await asyncio.gather(*(self.leave(worker, 0.0) for worker in leaving))

    async def settle(self) -> None:
        """Waits until whoever is leaving has left and whoever is frozen
        is not; then there are at least two.
        """
        while self._later:
            await asyncio.gather(*self._later)
        self.look()
        while len(self.live) < 2:
            self.add()

    async def stop(self) -> None:
        """All of them leave."""
        self._over = True
        leaving, self.live = self.live, []
        await asyncio.gather(*(self.leave(worker, 0.0) for worker in leaving))

    def kill_all(self) -> None:
        """Whatever happened, nobody is left behind."""
        for task in self._later:
            task.cancel()
        for worker in self.live:
            worker.process.kill()
            worker.process.wait()

    def later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def note(self, what: str) -> None:
        self.met[what] = self.met.get(what, 0) + 1


def _between(bounds: tuple[float, float], part: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * part


def _variables(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Settings as environment variables name and write them."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from ((f"{name.upper()}__{under}", text) for under, text in _variables(value))
        else:
            yield name.upper(), str(value)


def command(bootstrap: str, app: str, inputs: Sequence[str], planted: str | None) -> list[str]:
    """What a worker is started with; with a planted bug, by way of `tests.torture.worker`."""
    run = [
        "run",
        "--kafka",
        bootstrap,
        "--app",
        app,
        *[part for name in inputs for part in ("--input", name)],
    ]
    return [sys.executable, "-m", "tests.torture.worker", planted or "-", *run]
