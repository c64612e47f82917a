"""What an older version stored is read by this one, which goes on from there as if nothing had happened."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.core.moments import rules
from streams.core.processing import checkpoint
from streams.core.processing import upgrade as upgrades
from streams.core.processing.checkpoint import FORMAT, Checkpoint
from streams.core.processing.step import CELL, PROFILE, RULES
from streams.core.processing.upgrade import Stored, upgrade
from streams.errors import Incompatible
from streams.log.memory import MemoryLog
from streams.log.port import Reader
from streams.log.sqlite.log import SqliteLog
from streams.queries.verify import verify
from streams.records import Batch, Headers
from streams.runtime.partition_agent import Agent
from streams.settings.loading import Settings
from streams.topology import JOURNEYS, STATE, TOPICS
from tests.upgrade import HERE, Past, unpacked

OLD_CELL, OLD_RULES = b"k", b"R"  # of the pretended format 0


async def content(log: Reader, topic: str) -> list[tuple[bytes | None, bytes | None, Headers]]:
    """A topic's records. Several journeys that become final in one batch do so in no order that means anything."""
    found = [(record.key, record.value, record.headers) async for _, record in log.scan(topic)]
    return sorted(found, key=repr) if topic == JOURNEYS.name else found


async def same(one: Reader, other: Reader) -> None:
    for topic in TOPICS:
        assert await content(one, topic.name) == await content(other, topic.name), topic.name
    (a,), (b,) = await one.checkpoints(), await other.checkpoints()
    assert a == b


def test_every_format_is_stored() -> None:
    """There is data of each format up to this one: whoever raises FORMAT stores some with `python -m tests.upgrade.store`, and adds a step."""
    assert [f"v{n}" for n in range(1, FORMAT + 1)] == sorted(path.name for path in HERE.glob("v*"))


async def test_the_stored_data_has_everything(tmp_path: Path) -> None:
    """A test can only fail on what is there: needs, tenants, orders, bases, folded and trimmed journals, journeys open in a base, several rules."""
    log = SqliteLog(unpacked(1, tmp_path))
    past = await Past.of(log)
    agent = await Agent.open(log, 0, past.settings, rules.load(past.versions[0].text))
    profiles = agent.pipeline.population.profiles.values()
    kept = [(p.base, p.folded, p.first, p.begun, p.orders, p.sealed, len(p.needs) > 2) for p in profiles]
    assert all(any(there) for there in zip(*kept, strict=True))
    assert {"sevilla", None} == {p.key.rpartition("\x1f")[0] or None for p in profiles}
    assert (2, [0, 1, 0]) == (len(past.versions), [era.version for era in past.last.eras])
    assert past.last.offset < len(past.values)
    await log.close()


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
async def test_goes_on_from_stored_data(number: int, tmp_path: Path) -> None:
    """This program goes on from it and ends with what it makes of the whole input by itself: every topic, state record and mark."""
    log, alone = SqliteLog(unpacked(number, tmp_path)), MemoryLog()
    past = await Past.of(log)
    await past.go_on(log)
    await past.relive(alone)
    await same(alone, log)
    assert (await verify(log, lambda done, total: None)).difference is None
    await log.close()


def older(stored: Stored) -> Stored:
    """How a format before the first could have looked: other first letters of keys, and no count of expired corrections."""
    letters = {CELL: OLD_CELL, RULES: OLD_RULES, PROFILE: PROFILE}
    return Stored(
        [0, *stored.checkpoint[1:7], *stored.checkpoint[8:]],
        {letters[key[:1]] + key[1:]: value for key, value in stored.state.items()},
    )


def first_step(stored: Stored) -> Stored:
    """And the step that would lead on from it."""
    letters = {OLD_CELL: CELL, OLD_RULES: RULES, PROFILE: PROFILE}
    return Stored(
        [*stored.checkpoint[:7], 0, *stored.checkpoint[7:]],
        {letters[key[:1]] + key[1:]: value for key, value in stored.state.items()},
    )


async def pretended(data_dir: Path) -> tuple[SqliteLog, Past]:
    """The stored data as if it had format 0."""
    log = SqliteLog(unpacked(1, data_dir))
    past = await Past.of(log)
    session = await log.open(0)
    raw, records = await session.restore()
    assert raw is not None
    state = {key: value async for key, value in records}
    old = older(Stored(msgspec.msgpack.decode(raw), state))
    gone: list[tuple[bytes, bytes | None]] = [(key, None) for key in state]
    await session.commit(Batch([], [*gone, *old.state.items()], msgspec.msgpack.encode(old.checkpoint)))
    return log, past


async def test_a_step_leads_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a step for it, an older format is rewritten at the start, for good, and all goes on as if it had always been this one."""
    log, past = await pretended(tmp_path)
    with pytest.raises(Incompatible, match="brings this data directory up to date"):
        await verify(log, lambda done, total: None)
    with monkeypatch.context() as patch:
        patch.setattr(upgrades, "STEPS", {0: first_step})
        await Agent.open(log, 0, past.settings, rules.load(past.versions[0].text))
    assert {PROFILE, CELL, RULES} == {key[:1] for key, _, _ in await content(log, STATE.name) if key}
    alone = MemoryLog()
    await past.go_on(log)  # without the step: it is not needed any more
    await past.relive(alone)
    await same(alone, log)
    await log.close()


async def test_without_a_step_nothing_is_touched(tmp_path: Path) -> None:
    """Data that is too old is refused with a word on how to go on, and left as it is."""
    log, past = await pretended(tmp_path)
    before = (await content(log, STATE.name), await log.checkpoints())
    with pytest.raises(
        Incompatible,
        match=r"format 0.*older than format 1.*a version in between, or start a new data directory and replay",
    ):
        await past.go_on(log)
    assert before == (await content(log, STATE.name), await log.checkpoints())
    await log.close()


def test_steps_are_taken_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """From format -2 by way of -1 and 0; what a step leaves alone is not written again, what it takes away is."""

    def step(n: int) -> upgrades.Step:
        def lead(stored: Stored) -> Stored:
            state = {
                key: value + b"%d" % n if key != b"same" else value
                for key, value in stored.state.items()
                if key != b"gone"
            }
            return Stored([*stored.checkpoint[:3], stored.checkpoint[3] * 10 + n], state)

        return lead

    monkeypatch.setattr(upgrades, "STEPS", {-2: step(1), -1: step(2), 0: step(3)})
    done = upgrade(
        msgspec.msgpack.encode([-2, b"{}", {}, 7]), [(b"same", b"s"), (b"grows", b"g"), (b"gone", b"x")]
    )
    assert Checkpoint(FORMAT, b"{}", {}, 7123) == done.checkpoint
    assert [(b"same", b"s"), (b"grows", b"g123")] == done.state
    assert [(b"gone", None), (b"grows", b"g123")] == done.rewritten


def test_this_format_is_taken_as_it_is() -> None:
    """Nothing is rewritten when there is nothing to do."""
    last = Checkpoint(FORMAT, b"{}", {}, 7)
    assert upgrades.Upgraded(last, [(b"k", b"v")], None) == upgrade(checkpoint.encode(last), [(b"k", b"v")])


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (
            msgspec.msgpack.encode([FORMAT + 1, {"all": "new"}]),
            f"has format {FORMAT + 1}.*up to {FORMAT}: use the version that wrote it or a later",
        ),
        (msgspec.msgpack.encode({"format": 1}), "Start a new data directory"),
        (msgspec.msgpack.encode([]), "Start a new data directory"),
        (msgspec.msgpack.encode(["1"]), "Start a new data directory"),
        (b"", "Start a new data directory"),
        (b"\xc1\xff", "Start a new data directory"),
        (msgspec.msgpack.encode([FORMAT, b"{}", "seven"]), "is damaged.*start a new data directory"),
    ],
)
def test_what_it_cannot_read_it_refuses(raw: bytes, says: str) -> None:
    """A newer format, and what is none, with a word on how to go on."""
    refuse: list[Any] = [lambda: upgrade(raw, []), lambda: checkpoint.decode(raw)]
    for way in refuse:
        with pytest.raises(Incompatible, match=says):
            way()


@pytest.mark.parametrize(
    "record",
    [
        (CELL + b"short", b"\x80"),
        (CELL + bytes(13), b"\x07"),
        (PROFILE + b"u:1\0", b"no head"),
        (PROFILE + b"u:1\0" + bytes(4), b"a segment and no head"),
        (RULES + bytes(2), b"\x80"),
    ],
)
async def test_state_that_cannot_be_read_is_told(record: tuple[bytes, bytes]) -> None:
    """Damaged, or of no format that ever was: refused with a way to go on, as a checkpoint is."""
    log, settings = MemoryLog(), Settings()
    agent = await Agent.open(log, 0, settings, rules.default())
    await agent.step(checkpoint=True)
    await agent.session.commit(Batch([], [record], checkpoint.encode(agent.pipeline.checkpoint)))
    with pytest.raises(Incompatible, match="cannot be read"):
        await Agent.open(log, 0, settings, rules.default())
