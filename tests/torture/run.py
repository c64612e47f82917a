"""One run from beginning to end: workers, events, hits; then quiet; then the laws."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from streams.core.processing.checkpoint import Checkpoint, decode_checkpoint
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.queries.verify import verify
from streams.settings.tables import Settings
from tests.torture import evidence
from tests.torture.evidence import Broken
from tests.torture.fleet import Fleet, command
from tests.torture.ground import Brokers, Ground
from tests.torture.loader import load
from tests.torture.plan import LATER, PARTITIONS, UNKEYED_PARTITIONS, Plan
from tests.torture.receipts import RedriveRuns
from tests.torture.redrives import Redrives
from tests.torture.sharing import Sharing
from tests.torture.shop import Shop

STUCK_S = 120.0  # without anything read, after the last event and the last hit: something hangs
LOOK_S = 0.5  # between looks at who is still there
QUIET_S = 3.0  # without a commit that says anything new


class Outcome(NamedTuple):
    """What became of a run."""

    broken: list[Broken]
    figures: dict[str, int]
    hits: dict[str, int]
    seconds: float


async def run(
    plan: Plan,
    ground: Ground,
    brokers: Brokers,
    planted: str | None,
    directory: Path,
    say: Callable[[str], None],
) -> Outcome:
    """`say` is called once per thing that happens. Logs of the workers are put into the directory."""
    began = time.monotonic()
    sharing = None if plan.links is None else Sharing(plan.sharing)
    records = Shop(plan.rnd, plan.size.people, sharing).records(plan.size.events)
    await ground.make()
    fleet = Fleet(command(ground.bootstrap, ground.app, ground.inputs, planted), plan, directory, say)

    def outcome(broken: list[Broken], figures: dict[str, int]) -> Outcome:
        return Outcome(broken, figures, fleet.met, time.monotonic() - began)

    try:
        for _ in range(plan.workers):
            fleet.add()
        await fleet.ready()
        loading = asyncio.create_task(
            load(ground.bootstrap, ground.inputs, (PARTITIONS, UNKEYED_PARTITIONS), records, plan.pieces)
        )
        redrives = Redrives(ground.bootstrap, ground.app, directory, fleet)
        redriving = asyncio.create_task(redrives.now_and_then(plan.redrives))
        await _hit(plan, fleet, ground, brokers, say)
        await loading
        await redriving
        await fleet.settle()
        say(f"{len(records)} events are there, the hits are over; {len(fleet.live)} workers go on")
        log = await _log(ground)
        try:
            if stuck := await _drain(log, fleet):
                return outcome([Broken("liveness", stuck)], {})
            batches = [c.batches if c is not None else 0 for c in await _checkpoints(log)]
            say("everything is read; workers that can read more come, and dead letters are redriven")
            await fleet.renew(LATER)
            await redrives.once_more(plan.redrives)
            if stuck := await _drain(log, fleet):
                return outcome([Broken("liveness", stuck)], {})
            await fleet.stop()
            broken = [Broken("workers", fault) for fault in fleet.faults]
            say("everything is read; the laws are asked")
            last = [str(said["command"]) for said in redrives.ended]
            runs = RedriveRuns(batches, last, Settings.model_validate(plan.settings | LATER))
            found = await evidence.look(log, Settings.model_validate(plan.settings), len(records), runs)
            broken += found.broken
            if not broken:
                verified = await verify(log, lambda done, total: None)
                if verified.difference:
                    broken.append(Broken("verify", verified.difference))
        finally:
            await log.close()
    finally:
        fleet.kill_all()
    return outcome(broken, found.figures)


async def _hit(
    plan: Plan, fleet: Fleet, ground: Ground, brokers: Brokers, say: Callable[[str], None]
) -> None:
    """Each at its time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, hit in enumerate(plan.hits, 1):
        while (wait_s := began + hit.at_s - loop.time()) > 0:
            fleet.look()
            await asyncio.sleep(min(LOOK_S, wait_s))
        if hit.kind == "broker":
            fleet.note("broker")
            what, doing = brokers.hit(hit)
            fleet.later(doing)
        elif hit.kind == "refuse":
            fleet.note("refuse")
            for_s = 0.5 + 2 * hit.wait
            fleet.later(brokers.undisturbed(ground.refuse(for_s)))
            what = f"transitions are refused for {for_s:.1f} s"
        else:
            what = fleet.hit(hit)
        upright = " ".join(f"{worker.number}{'*' if worker.frozen else ''}" for worker in fleet.live)
        say(f"hit {number:2} of {len(plan.hits)}: {what}   [{upright}]")


async def _checkpoints(log: KafkaLog) -> list[Checkpoint | None]:
    return [decode_checkpoint(raw) if raw is not None else None for raw in await log.checkpoints()]


async def _log(ground: Ground) -> KafkaLog:
    return await KafkaLog.connect(Cluster(ground.bootstrap), ground.app, list(ground.inputs))


async def _drain(log: KafkaLog, fleet: Fleet) -> str | None:
    """Waits until everything is read and nothing new is committed.

    Says what is left when nothing more was read for too long. (A slow machine reads slowly, and the log
    has an end.)
    """
    loop = asyncio.get_running_loop()
    moved, still, last, most_read = loop.time(), loop.time(), None, -1
    left = "no checkpoint could be read"
    while loop.time() - moved < STUCK_S:
        await asyncio.sleep(0.5)
        fleet.look()
        ends = await log.ends()
        read = await _checkpoints(log)
        in_all = sum(c.offset for c in read if c is not None)
        if in_all > most_read:
            moved, most_read = loop.time(), in_all
        behind = {
            source: (c.sources[source].offset if c is not None and source in c.sources else 0, ends[source])
            for number, c in enumerate(read)
            for source in log.sources(number)[:-1]
            if ends[source]
            and (c is None or source not in c.sources or c.sources[source].offset < ends[source])
        }
        # (The wall clock moves timers on for ever, now in this partition, now in that one.)
        marks = [(c.watermark_ms, c.settled_mark_ms) if c is not None else (-1, -1) for c in read]
        now = [(c.counts, c.rev, c.cues) if c is not None else None for c in read], marks
        if behind or now != last:
            still, last = loop.time(), now
            left = f"not read to its end: {behind}" if behind else "the checkpoints keep changing"
        elif fleet.plan.links is not None and len({mark for both in marks for mark in both}) > 1:
            still, left = loop.time(), f"watermarks and settled marks: {marks}"
        elif loop.time() - still > QUIET_S:
            return None
    return f"nothing was read for {STUCK_S:.0f} s: {left}"
