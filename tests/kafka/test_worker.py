"""Workers on a real broker: they share an app, one leaves, one is a zombie, and the counts are exact."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection
from itertools import pairwise
from typing import Any

import pytest
import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from structlog.testing import capture_logs

from streams.clock import Clock
from streams.core.ingest.partition import partition_of
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.committed import Committed
from streams.errors import Fenced, Incompatible, StreamsError, Unavailable
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.queries.verify import verify
from streams.records import NewRecord
from streams.runtime import growth, open_transaction_watch
from streams.runtime.membership import KafkaMembership
from streams.runtime.worker import Worker
from streams.settings.tables import Settings
from streams.telemetry.meters import Death, Meters
from tests.core.processing.feeding import START, event, rules
from tests.kafka import topics
from tests.kafka.broker import bootstrap, free_ports
from tests.kafka.waiting import WAIT_S

PARTITIONS = 4
SESSION_S = 6.0
PEOPLE = 200


class Figures(Meters):
    """A worker's meters, and what was reported to them."""

    def __init__(self) -> None:
        super().__init__()
        self.deaths: Counter[str] = Counter()
        self.commits: list[tuple[float, int]] = []  # when, of which partition: those with records
        self.openings: list[tuple[float, int]] = []
        self.given: Collection[int] = ()
        self.received: dict[int, int] = {}  # items so far, by partition

    def assigned(self, partitions: Collection[int]) -> None:
        super().assigned(partitions)
        self.given = partitions

    def opened(self, partition: int, seconds: float, records: int) -> None:
        super().opened(partition, seconds, records)
        self.openings.append((time.monotonic(), partition))

    def committed(self, step: Committed) -> None:
        super().committed(step)
        self.received[step.partition] = step.totals.received
        if step.written and step.records:
            self.commits.append((time.monotonic(), step.partition))

    def died(self, partition: int, reason: Death) -> None:
        super().died(partition, reason)
        self.deaths[reason] += 1


class Running:
    """A worker of an app with a log of its own, as a process would have it."""

    def __init__(self, app: str, **kafka: Any) -> None:
        self.settings = Settings.model_validate(
            {
                "batch": 500,
                "kafka": {"bootstrap": bootstrap(), "app": app, "inputs": [f"{app}.events"], **kafka},
            }
        )
        self.figures, self.stop = Figures(), asyncio.Event()

    async def start(self) -> "Running":
        kafka = self.settings.kafka
        assert kafka.bootstrap is not None
        assert kafka.app is not None
        self.log = await KafkaLog.connect(Cluster(kafka.bootstrap), kafka.app, kafka.inputs)
        logger = structlog.get_logger().bind(app=kafka.app)
        self.worker = Worker.on_kafka(self.log, self.settings, rules(), meters=self.figures, logger=logger)
        self.task = asyncio.create_task(self.worker.run(self.stop))
        return self

    async def end(self) -> float:
        """Stops it; seconds that took."""
        began_s = time.monotonic()
        self.stop.set()
        try:
            await self.task
        finally:
            await self.log.close()
        return time.monotonic() - began_s

    def freeze_group(self, seconds: float) -> None:
        """Its place in the group does nothing for so long: no heartbeat, no hearing that it was put out."""
        membership = self.worker.membership
        assert isinstance(membership, KafkaMembership)
        assert membership._loop is not None
        membership._loop.call_soon_threadsafe(time.sleep, seconds)


class Sender:
    """Sends events of people, each into their partition, until it is stopped; knows how many."""

    def __init__(self, log: KafkaLog) -> None:
        self.log, self.sent, self.enough = log, 0, False

    async def send(self, count: int) -> None:
        now_ms = time.time_ns() // 1_000_000
        records = []
        for number in range(self.sent, self.sent + count):
            user = str(number % PEOPLE)
            value = event(now_ms - START, f"e{number}", "Bought" if number % 7 == 0 else "Looked", user=user)
            records.append(NewRecord(partition_of(user.encode(), PARTITIONS), user.encode(), value, now_ms))
        await self.log.append(records)
        self.sent += count

    async def flow(self) -> None:
        while not self.enough:
            await self.send(40)
            await asyncio.sleep(0.02)


async def until(what: Any, limit_s: float = 60) -> None:
    async with asyncio.timeout(limit_s):
        while not what():
            await asyncio.sleep(0.02)


async def exact(sender: Sender) -> None:
    """All that was sent is processed, and what was published is what it comes to."""
    async with asyncio.timeout(WAIT_S):
        while (
            sum(
                decode_checkpoint(raw).counts.received
                for raw in await sender.log.checkpoints()
                if raw is not None
            )
            < sender.sent
        ):
            await asyncio.sleep(0.1)
    found = await verify(sender.log, lambda done, total: None)
    assert found.difference is None
    assert found.records == sender.sent


def stall_s(*workers: Running) -> float:
    """The longest time between two commits of a partition while events came."""
    longest = 0.0
    for number in range(PARTITIONS):
        times = sorted(
            at_s for one in workers for at_s, partition in one.figures.commits if partition == number
        )
        longest = max([longest, *(later - sooner for sooner, later in pairwise(times))])
    return longest


async def test_workers_share_and_leave_and_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    """Events come all the time: one worker, a second joins, the first leaves."""
    app = topics.new_app(PARTITIONS)
    a, b = Running(app), Running(app)
    await a.start()
    await until(lambda: len(a.worker.status().opened) == PARTITIONS)
    sender = Sender(a.log)
    flowing = asyncio.create_task(sender.flow())
    await asyncio.sleep(1)
    await b.start()
    await until(lambda: len(b.worker.status().opened) == PARTITIONS // 2)
    await until(lambda: len(a.worker.status().opened) == PARTITIONS // 2)
    kept = a.worker.status().opened
    assert not kept & b.worker.status().opened
    await asyncio.sleep(1)
    joined_s = stall_s(a, b)
    sender.log = b.log
    took_s = await a.end()
    await until(lambda: len(b.worker.status().opened) == PARTITIONS)
    await asyncio.sleep(1)
    sender.enough = True
    await flowing
    await exact(sender)
    assert took_s < a.settings.kafka.grace / 1000
    assert not [at for at in a.figures.openings[PARTITIONS:] if at[1] in kept], "what stayed was opened anew"
    assert not b.figures.deaths
    stalled_s = stall_s(a, b)
    await b.end()
    with capsys.disabled():
        print(
            f"\nstall when a worker joins {1000 * joined_s:.0f} ms, at worst {1000 * stalled_s:.0f} ms; "
            f"leaving took {1000 * took_s:.0f} ms"
        )


async def test_a_zombie_is_fenced_and_comes_back_in_peace(capsys: pytest.CaptureFixture[str]) -> None:
    """Its heartbeats stop, its agents do not: the other takes over after
    a session, and is never fenced in turn.

    How an agent learns of it depends on what it was doing: in the middle of a
    commit it can't tell whether that was written.
    """
    app = topics.new_app(PARTITIONS)
    zombie, b = await Running(app).start(), await Running(app).start()
    await until(
        lambda: len(zombie.worker.status().opened) == len(b.worker.status().opened) == PARTITIONS // 2
    )
    sender = Sender(b.log)
    flowing = asyncio.create_task(sender.flow())
    await asyncio.sleep(1)
    openings = len(zombie.figures.openings)
    zombie.freeze_group(SESSION_S + 3)
    frozen_s = time.monotonic()
    await until(lambda: len(b.worker.status().opened) == PARTITIONS)
    taken_s = time.monotonic() - frozen_s
    await until(lambda: not zombie.worker.status().opened)
    await asyncio.sleep(1)
    assert len(zombie.figures.openings) == openings, "fought for it"
    assert zombie.figures.deaths.total() == PARTITIONS // 2
    assert not zombie.figures.deaths["defect"]
    await until(
        lambda: len(zombie.worker.status().opened) == len(b.worker.status().opened) == PARTITIONS // 2
    )
    assert not b.figures.deaths
    await asyncio.sleep(0.5)
    sender.enough = True
    await flowing
    await exact(sender)
    for one in (zombie, b):
        await one.end()
    with capsys.disabled():
        print(f"\ntaken over {taken_s:.1f} s after the last heartbeat")


async def test_a_worker_with_a_name_comes_back_to_what_it_had() -> None:
    """Within the session: the other does not notice."""
    app = topics.new_app(PARTITIONS)
    a, b = await Running(app, instance="a").start(), await Running(app, instance="b").start()
    await until(lambda: len(a.worker.status().opened) == len(b.worker.status().opened) == PARTITIONS // 2)
    had, openings = a.worker.status().opened, len(b.figures.openings)
    await a.end()
    again = await Running(app, instance="a").start()
    await until(lambda: again.worker.status().opened == had)
    assert openings == len(b.figures.openings)
    for one in (again, b):
        await one.end()


async def test_of_two_with_one_name_the_first_gives_way() -> None:
    """As one whose successor was started already. The other works on undisturbed."""
    app = topics.new_app(PARTITIONS)
    a = await Running(app, instance="twin").start()
    await until(lambda: len(a.worker.status().opened) == PARTITIONS)
    b = await Running(app, instance="twin").start()
    with pytest.raises(Fenced, match=r"kafka\.instance = twin"):
        async with asyncio.timeout(WAIT_S):
            await a.task
    await until(lambda: len(b.worker.status().opened) == PARTITIONS)
    assert not a.worker.status().opened
    await a.log.close()
    await b.end()


async def test_a_topic_that_grows_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; not with silence about what is in the new partitions."""
    monkeypatch.setattr(growth, "LOOK_EVERY_S", 0.2)
    app = topics.new_app(PARTITIONS)
    a = await Running(app).start()
    await until(lambda: len(a.worker.status().opened) == PARTITIONS)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap())
    await admin.start()
    await admin.create_partitions({f"{app}.events": NewPartitions(PARTITIONS + 2)})
    await admin.close()
    with pytest.raises(Incompatible, match=rf"{app}\.events has 6 and had 4"):
        async with asyncio.timeout(WAIT_S):
            await a.task
    assert not a.worker.status().opened
    await a.log.close()


async def test_who_decides_sees_a_topic_that_has_grown() -> None:
    """A worker that was started by the old number cannot be given anything."""
    app = topics.new_app(PARTITIONS)
    membership = KafkaMembership(
        Cluster(bootstrap()), app, [f"{app}.events"], PARTITIONS - 1, Settings().kafka, Clock()
    )
    await membership.join()
    await until(lambda: membership.failure is not None)
    assert isinstance(membership.failure, Incompatible)
    assert f"{app}.events has 4" in str(membership.failure)
    await membership.leave()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"session_timeout": "1s"}, StreamsError, "session_timeout"),
        ({"start_timeout": "1s", "bootstrap": "nobody"}, Unavailable, "start_timeout"),
    ],
)
async def test_a_group_that_cannot_be_joined(
    settings: dict[str, str], error: type[StreamsError], message: str
) -> None:
    """The reason is reported, and the worker ends; a cluster that does not answer is asked for a time."""
    app = topics.new_app(1)
    address = bootstrap() if settings.pop("bootstrap", None) is None else f"127.0.0.1:{free_ports(1)[0]}"
    membership = KafkaMembership(
        Cluster(address),
        app,
        [f"{app}.events"],
        1,
        Settings.model_validate({"kafka": settings}).kafka,
        Clock(),
    )
    await membership.join()
    await until(lambda: membership.failure is not None)
    assert isinstance(membership.failure, error)
    assert message in str(membership.failure)
    await membership.leave()


async def test_a_loop_that_is_held_up_for_longer_than_a_session_keeps_its_place() -> None:
    """As by a large batch in many partitions, or a restore: nobody takes the worker for dead."""
    app = topics.new_app(1)
    membership = KafkaMembership(Cluster(bootstrap()), app, [f"{app}.events"], 1, Settings().kafka, Clock())
    await membership.join()
    await until(lambda: membership.assignment.joined)
    given_s, heartbeat_s, until_s = (
        membership.assignment.assigned_s,
        membership.heartbeat_s,
        time.monotonic() + SESSION_S + 1,
    )
    while time.monotonic() < until_s:
        pass
    assert membership.assignment.joined
    assert membership.assignment.assigned_s == given_s
    assert membership.heartbeat_s > heartbeat_s + SESSION_S
    await membership.leave()


async def test_a_worker_whose_loop_hangs_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """And comes back when it shows life."""
    monkeypatch.setattr("streams.runtime.membership.HUNG_S", 1.0)
    app = topics.new_app(1)
    membership = KafkaMembership(Cluster(bootstrap()), app, [f"{app}.events"], 1, Settings().kafka, Clock())
    await membership.join()
    membership.show_alive()
    async with asyncio.timeout(WAIT_S):
        while not membership.assignment.joined:
            membership.show_alive()
            await asyncio.sleep(0.05)
    await until(lambda: not membership.assignment.joined, 20)
    async with asyncio.timeout(WAIT_S):
        while not membership.assignment.joined:
            membership.show_alive()
            await asyncio.sleep(0.05)
    await membership.leave()


async def test_a_transaction_that_stays_open_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector begins one and does not end it: the worker logs it once, shows it on its page, and goes on
    with all other partitions; when it ends, its records are processed.
    """
    monkeypatch.setattr(open_transaction_watch, "LOGGED_AFTER_S", 0.5)
    app = topics.new_app(PARTITIONS)
    with capture_logs() as lines:
        one = await Running(app).start()
        sender = Sender(one.log)
        collector = Cluster(bootstrap()).producer(f"{app}-collector")
        await collector.start()
        await collector.begin_transaction()
        for number in range(3):
            value = event(time.time_ns() // 1_000_000 - START, f"c{number}", "Looked", user="hidden")
            await collector.send(f"{app}.events", value, b"hidden", partition=1)
        await collector.flush()

        def told(what: str) -> list[Any]:
            return [
                (line["source"], line.get("records"))
                for line in lines
                if line["event"] == what and line["source"].startswith(app)
            ]

        await until(lambda: told("blocked"))
        source = f"{app}.events:1"
        assert [(source, 3)] == told("blocked")
        assert {source} == one.worker.status().blocked.keys()
        await sender.send(PEOPLE)
        elsewhere = sum(partition_of(b"%d" % user, PARTITIONS) != 1 for user in range(PEOPLE))
        await until(lambda: sum(one.figures.received.values()) == elsewhere)
        await collector.commit_transaction()
        await collector.stop()
        sender.sent += 3
        await exact(sender)
        await until(lambda: told("unblocked"))
        assert 1 == len(told("blocked"))
        await one.end()
