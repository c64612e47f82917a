"""What only a broker can do to an agent: transactions that nobody ends, batches it refuses, records
it has deleted, topics that are not there.
"""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from streams.errors import ConfigError, Incompatible, Refused, Unavailable
from streams.log.kafka.client import Cluster
from streams.log.kafka.commit_groups import CHECKPOINT
from streams.log.kafka.log import KafkaLog
from streams.records import Output
from tests.contract.looking import (
    Restored,
    batch,
    fill,
    full_batch,
    input_ends,
    read,
    restored,
    scanned,
    seen,
)
from tests.kafka import topics
from tests.kafka.broker import bootstrap, end, free_ports, our_own, start


@pytest.fixture
async def log() -> AsyncIterator[KafkaLog]:
    """An empty one of one partition."""
    log = topics.log(topics.new_app(1), 1)
    yield log
    await log.close()


async def test_a_dead_writer_leaves_nothing(log: KafkaLog) -> None:
    """A transaction that was written and not committed is neither restored nor read, and opening
    ends it: nobody waits for it to time out.
    """
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    await session.close()
    before = await seen(log)
    dead = log.cluster.producer(f"{log.app}-0")
    await dead.start()
    await dead.begin_transaction()
    for topic, key in (
        ("state", CHECKPOINT),
        ("state", b"counter"),
        ("current", b"k"),
        ("transitions", b"k"),
    ):
        await dead.send_and_wait(log.topic(topic), b"2", key, partition=0)
    async with asyncio.timeout(5):
        session = await log.open(0)
        assert await restored(session) == Restored(b"1", {b"counter": b"1"})
        assert await seen(log) == before
    await session.commit(full_batch(b"3"))
    assert await log.checkpoints() == [b"3"]
    await dead.stop()


async def test_a_batch_that_the_broker_refuses_takes_the_whole_commit_with_it() -> None:
    """One record is too large for its topic: the client's commit would succeed without
    it; ours fails, and the session is over.
    """
    app = topics.new_name()
    new = topics.new_topics(app, 1)
    for topic in new:
        if topic.name == f"{app}.transitions":
            topic.topic_configs["max.message.bytes"] = "1000"
    await topics.create(new)
    log = topics.log(app, 1)
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    before = await seen(log)
    large = batch(
        b"2", [Output("current", b"k", b"2"), Output("transitions", b"k", b"x" * 5_000)], [(b"counter", b"2")]
    )
    with pytest.raises(Refused, match=rf"topic {app}.transitions takes: raise its max.message.bytes"):
        await session.commit(large)
    with pytest.raises(Refused):
        await session.commit(full_batch(b"3"))
    with pytest.raises(Refused):
        await read(session, 0, 1)
    await session.close()
    assert await seen(log) == before
    session = await log.open(0)
    assert await restored(session) == Restored(b"1", {b"counter": b"1"})
    await session.commit(full_batch(b"4"))
    assert await log.checkpoints() == [b"4"]
    await log.close()


async def test_a_commit_that_is_cancelled_ends_its_session(log: KafkaLog) -> None:
    """Nobody knows how far it came; the next session finds all of it or nothing."""
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    commit = asyncio.create_task(session.commit(full_batch(b"2")))
    await asyncio.sleep(0.001)
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    with pytest.raises(Unavailable):
        await session.commit(full_batch(b"3"))
    await session.close()
    session = await log.open(0)
    found = await restored(session)
    assert found in (Restored(b"1", {b"counter": b"1"}), Restored(b"2", {b"counter": b"2"}))


async def test_an_input_written_in_transactions_has_gaps(log: KafkaLog) -> None:
    """Markers of a collector's transactions take offsets, what it aborted is not read, and
    an agent that has read all is at the end.
    """
    session = await log.open(0)
    collector = log.cluster.producer(f"{log.app}-collector")
    await collector.start()
    for value, commits in ((b"a", True), (b"x", False), (b"b", True), (b"y", False)):
        await collector.begin_transaction()
        await collector.send_and_wait(log.topic("events"), value, partition=0)
        await (collector.commit_transaction() if commits else collector.abort_transaction())
    await collector.stop()
    assert await input_ends(log) == [8]
    found = await read(session, 0, 10)
    while step := await read(session, found[-1].offset + 1, 10):
        found += step
    assert [(record.offset, record.value) for record in found] == [(0, b"a"), (4, b"b")]
    assert [value for _, _, value, _ in await scanned(log, "events")] == [b"a", b"b"]


async def test_a_first_start_begins_where_the_topic_does(log: KafkaLog) -> None:
    """What age has deleted is no loss to whoever never was there; to an agent
    that had come so far it is, and that is an error.
    """
    await fill(log, [b"%d" % number for number in range(10)])
    session = await log.open(0)
    assert [record.offset for record in await read(session, 0, 2)] == [0, 1]
    admin = AIOKafkaAdminClient(bootstrap_servers=log.cluster.bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(log.topic("events"), 0): RecordsToDelete(before_offset=5)})
    await admin.close()
    fresh = await log.open(0)
    assert [record.offset for record in await read(fresh, 0, 2)] == [5, 6]
    assert [record.offset for record in await read(fresh, 7, 9)] == [7, 8, 9]
    with pytest.raises(Unavailable, match="deleted by the topic's retention"):
        await read(fresh, 3, 2)


async def test_a_checkpoint_is_found_under_much_state(log: KafkaLog) -> None:
    """Also when the last commit was a large one, and others before it."""
    session = await log.open(0)
    for number in range(3):
        await session.commit(
            batch(b"%d" % number, state=[(b"p%d" % key, b"v") for key in range(1_000 * number)])
        )
    assert await log.checkpoints() == [b"2"]
    assert (await restored(session)).checkpoint == b"2"


async def test_a_state_record_may_not_pass_for_a_checkpoint(log: KafkaLog) -> None:
    """Its key is refused before anything is written."""
    session = await log.open(0)
    with pytest.raises(AssertionError):
        await session.commit(batch(b"1", state=[(CHECKPOINT, b"2")]))
    await session.commit(batch(b"1"))
    assert await log.checkpoints() == [b"1"]


async def test_connecting_looks_whether_the_topics_are_there() -> None:
    """What is missing, and what has another number of partitions than the input, is named."""
    app, cluster = topics.new_name(), Cluster(bootstrap())
    with pytest.raises(ConfigError, match=rf"{app}\.events: does not exist"):
        await KafkaLog.connect(cluster, app, [f"{app}.events"])
    new = topics.new_topics(app, 2)
    next(topic for topic in new if topic.name == f"{app}.state").num_partitions = 3
    await topics.create(new)
    with pytest.raises(Incompatible, match=rf"{app}\.transitions: has 2 partitions, and must have 3"):
        await KafkaLog.connect(cluster, app, [f"{app}.events"])


async def test_nobody_answers() -> None:
    """Unavailable, at once, from whatever is asked first."""
    cluster = Cluster(f"127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(Unavailable, match="cannot be looked at"):
        await KafkaLog.connect(cluster, "app", ["input"])
    log = KafkaLog(cluster, "app", {"input": 1}, 1)
    with pytest.raises(Unavailable, match="partition 0 cannot be"):
        await log.open(0)
    with pytest.raises(Unavailable):
        await input_ends(log)
    with pytest.raises(Unavailable):
        await fill(log, [b"a"])
    await log.close()


async def test_a_broker_that_freezes_in_mid_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit gives up in time and leaves it open, closing does not hang; awake again, the next
    session finds all of the batch or nothing.
    """
    our_own()
    monkeypatch.setattr("streams.log.kafka.session.COMMIT_TIMEOUT_S", 1)
    monkeypatch.setattr("streams.log.kafka.lifecycle.CLOSE_TIMEOUT_S", 1)
    address, process = start()
    try:
        app = topics.new_name()
        await topics.create(topics.new_topics(app, 1), address)
        log = KafkaLog(Cluster(address), app, {f"{app}.events": 1}, 1)
        session = await log.open(0)
        await session.commit(full_batch(b"1"))
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(Unavailable, match="TimeoutError"):
            await session.commit(full_batch(b"2"))
        async with asyncio.timeout(8):
            await session.close()
        process.send_signal(signal.SIGCONT)
        session = await log.open(0)
        assert await restored(session) in (
            Restored(b"1", {b"counter": b"1"}),
            Restored(b"2", {b"counter": b"2"}),
        )
        await session.commit(full_batch(b"3"))
        assert await log.checkpoints() == [b"3"]
        await log.close()
    finally:
        end(process)


async def test_markers_of_transactions_behind_the_last_record_are_no_loss(log: KafkaLog) -> None:
    """When age has deleted everything, only the markers were unread: a session that goes on from
    where its reading had come to is at the end.
    """
    collector = log.cluster.producer(f"{log.app}-collector")
    await collector.start()
    await collector.begin_transaction()
    await collector.send_and_wait(log.topic("events"), b"a", partition=0)
    await collector.commit_transaction()
    await collector.stop()
    session, source = await log.open(0), log.sources(0)[0]
    reached = {source: 0}
    while reached[source] < 2:
        reached |= (await session.read(reached, 10)).reached
    admin = AIOKafkaAdminClient(bootstrap_servers=log.cluster.bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(log.topic("events"), 0): RecordsToDelete(before_offset=2)})
    await admin.close()
    fresh = await log.open(0)
    found = await fresh.read(reached, 10)
    assert (found.chunks, source in found.ended) == ([], True)
    with pytest.raises(Unavailable, match="deleted by the topic's retention"):
        await read(fresh, 1, 10)


async def test_a_header_that_is_no_text_stops_nobody(log: KafkaLog) -> None:
    """No broker looks at the names of headers, and aiokafka cannot read such a record."""

    class Unreadable(str):
        def encode(self, *_: str) -> bytes:
            return b"\xff\xfename"

    builder = _DefaultRecordBatchBuilderPy(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    builder.append(0, 5, None, b"v", [(Unreadable("??name"), b"1")])
    place = TopicPartition(log.topic("events"), 0)
    producer = AIOKafkaProducer(bootstrap_servers=log.cluster.bootstrap)
    await producer.start()
    batch = producer.create_batch()
    batch.append(timestamp=5, key=None, value=b"v")
    batch.close()
    batch._buffer = builder.build()
    await (await producer.send_batch(batch, place.topic, partition=0))
    await producer.stop()
    session = await log.open(0)
    assert [(record.value, record.headers) for record in await read(session, 0, 10)] == [
        (b"v", (("\ufffd\ufffdname", b"1"),))
    ]
    assert [value for _, _, value, _ in await scanned(log, "events")] == [b"v"]
