import pytest

from streams.errors import Refused
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.records import Output
from tests.contract.looking import Restored, batch, restored, scanned
from tests.kafka import topics
from tests.kafka.broker import bootstrap

LARGEST = 6_000  # bytes that a broker takes here in one batch
VALUE = b"the same again and again " * 1_000  # four times that, until it is compressed


@pytest.mark.parametrize("kind", ["gzip", "snappy", "lz4", "zstd"])
async def test_what_is_written_is_compressed(kind: str) -> None:
    """The broker gets less than it could take, and every reader,
    whatever it writes itself, gets all of it back.
    """
    app = topics.new_name()
    new = topics.new_topics(app, 1)
    for topic in new:
        topic.topic_configs["max.message.bytes"] = str(LARGEST)
    await topics.create(new)
    # one of its literals
    log = KafkaLog(Cluster(bootstrap(), compression=kind), app, {f"{app}.events": 1}, 1)  # type: ignore[arg-type]
    session = await log.open(0)
    await session.commit(batch(b"1", [Output("transitions", b"k", VALUE)], [(b"state", VALUE)]))
    await log.close()
    reader = topics.log(app, 1)
    assert [(0, b"k", VALUE, ())] == await scanned(reader, "transitions")
    assert Restored(b"1", {b"state": VALUE}) == await restored(await reader.open(0))
    await reader.close()


async def test_uncompressed_it_is_too_large() -> None:
    """The broker refuses it, and will again: the message names what to raise, and nothing is written."""
    app = topics.new_name()
    new = topics.new_topics(app, 1)
    for topic in new:
        topic.topic_configs["max.message.bytes"] = str(LARGEST)
    await topics.create(new)
    log = topics.log(app, 1)
    session = await log.open(0)
    with pytest.raises(
        Refused,
        match=r"a record is larger than topic .*takes: "
        r"raise its max\.message\.bytes; `streams topics plan` says",
    ):
        await session.commit(batch(b"1", [Output("transitions", b"k", VALUE)]))
    await session.close()
    assert [None] == await log.checkpoints()
    await log.close()
