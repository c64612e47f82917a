"""What two sets of rules make of one log is what each of them alone makes of it, event by event."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streams.core.ingest.event import Event, events_in
from streams.core.ingest.times import LATEST_MS
from streams.core.moments.classifier import Classifier, classifier_for
from streams.core.moments.rules import Rules, default_rules, load_rules
from streams.core.moments.verdict import INTENTS
from streams.core.processing.checkpoint import decode_checkpoint
from streams.errors import ConfigError, InputError
from streams.log.memory import MemoryLog
from streams.queries.cohorts import report_of_cells
from streams.queries.event_sets import BYTES_PER_EVENT
from streams.queries.funnel import read_funnel
from streams.queries.funnel_window import choose_window
from streams.queries.origins import Origin
from streams.queries.rules_comparison import ComparedRules, RulesComparison, bytes_for_people, compare_rules
from streams.queries.stored_input import StoredInput
from streams.queries.tallies import read_window_tallies
from streams.queries.time_range import EVER, TimeRange
from streams.queries.verdict_changes import MAX_KINDS, MAX_SAMPLES, SampledEvent, VerdictChanges
from streams.records import NewRecord
from streams.runtime.parameters import record_reader
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from streams.settings.tables import Settings
from tests.queries.test_retention import cut, lived
from tests.queries.test_slices import NOW, POOLED_IDS, crowd
from tests.queries.test_verify import UNIQUE_IDS, redrive
from tests.queries.written import DAY, RULES, SHOP, did, written

LAW = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
PLENTY = 1 << 30

OTHERS = load_rules(
    'extends = "default"\nname = "others"\noff = ["cart", "order-updated", "cue.coupon-denied"]\n'
    '[[event]]\nname = "closed"\nmoment = "do"\nconfidence = 0.9\nnames = ["Page Closed"]\n'
    '[[event]]\nname = "paid"\nmoment = "truth"\nconfidence = 0.9\nnames = ["Order Updated"]\n'
)
WITHOUT_CART = load_rules('extends = "default"\noff = ["cart"]', base=RULES)


def updated(rnd: random.Random, value: bytes) -> bytes:
    """The record, now and then as the update of an order that was made at some time before."""
    if rnd.random() > 0.15 or not value.endswith(b"}"):
        return value
    record = msgspec.json.decode(value)
    made = rnd.choice(({}, {"created_at": record["timestamp"]}, {"created_at": "2026-01-01T00:00:00Z"}))
    record |= {"type": "track", "event": "Order Updated"}
    record["properties"] |= {"status": "paid", "order_id": rnd.choice(("o1", "o2", "o3"))} | made
    return msgspec.json.encode(record)


def values_of(seed: int, count: int, days: float, partitions: int = 1) -> list[bytes]:
    """Events of many people. In several partitions no id is of two events: how long a partition knows an id
    depends on how far it was then, and that is recorded nowhere.
    """
    rnd, ids = random.Random(seed), POOLED_IDS if partitions == 1 else UNIQUE_IDS
    return [updated(rnd, value) for value in crowd(seed, count, days, ids=ids)]


async def processed(
    values: Sequence[bytes], rules: Rules, partitions: int = 1, seed: int = 0, **overrides: Any
) -> MemoryLog:
    """A log in which these records are processed by these rules. They lie in any partition."""
    rnd = random.Random(seed)
    log, given = MemoryLog(partitions), load_settings(batch=100, **overrides)
    await log.append([NewRecord(rnd.randrange(partitions), None, value, NOW) for value in values])
    agents = [await PartitionAgent.open(log, number, given, rules) for number in range(partitions)]
    for _ in range(3):
        for agent in agents:
            await agent.catch_up()
    ahead_ms = max(agent.processor.population.watermark_ms for agent in agents)
    while any(agent.processor.population.watermark_ms < ahead_ms for agent in agents):
        for agent in agents:
            await agent.catch_up(ahead_ms)
    return log


async def compared(
    log: MemoryLog, one: Rules, other: Rules, times: TimeRange = EVER, memory_bytes: int = PLENTY
) -> RulesComparison:
    stored = await StoredInput.load(log)
    rules = ComparedRules(one, other, times, samples=2)
    return await compare_rules(stored, rules, memory_bytes, lambda done, total: None)


FIGURES = ("journeys", "furthest", "been_in", "cues", "revenue", "unmatched_updates")
PEOPLE = ("profiles", "profiles_converted")


async def figures(log: MemoryLog) -> dict[str, object]:
    """What the published counters of a log say, under the names of a compared funnel."""
    funnel = await read_funnel(log)
    found = {name: getattr(funnel, name) for name in (*FIGURES, *PEOPLE)}
    return found | {"unmatched_refunds": funnel.unmatched_refunds["purchase"]}


@LAW
@given(
    st.integers(0, 2**32), st.sampled_from((60, 300)), st.sampled_from((2.0, 60.0)), st.sampled_from((1, 3))
)
async def test_each_funnel_is_that_of_a_log_under_these_rules(
    seed: int, count: int, days: float, partitions: int
) -> None:
    """What both say of a log that was read by one of them is what two logs say that each has read alone."""
    values = values_of(seed, count, days, partitions)
    alone = [
        await figures(await processed(values, rules, partitions, seed, allowed_lateness="1000d"))
        for rules in (default_rules(), OTHERS)
    ]
    for in_force in (default_rules(), OTHERS):
        log = await processed(values, in_force, partitions, seed, allowed_lateness="1000d")
        found = await compared(log, default_rules(), OTHERS)
        assert alone == [msgspec.structs.asdict(side) for side in (found.one_funnel, found.other_funnel)]


@LAW
@given(st.integers(0, 2**32), st.sampled_from((2.0, 60.0)), st.sampled_from((1, 3)), st.booleans())
@example(seed=2, days=2.0, partitions=3, redrives=True)  # redriven to somebody who was forgotten
async def test_the_rules_in_force_give_the_funnel_that_was_published(
    seed: int, days: float, partitions: int, redrives: bool
) -> None:
    """Whatever was late, and whatever was redriven since."""
    log = await processed(values_of(seed, 250, days, partitions), default_rules(), partitions, seed)
    if redrives:
        rnd = random.Random(seed)
        await redrive(log, rnd, NOW)
        given = load_settings(batch=7)
        agents = [
            await PartitionAgent.open(log, number, given, default_rules()) for number in range(partitions)
        ]
        for _ in range(3):
            for agent in agents:
                await agent.catch_up(agent.processor.population.watermark_ms)
    stored = await StoredInput.load(log)
    found = await compared(log, stored.rules_in_force(), default_rules())
    assert found.same
    published, computed = await figures(log), msgspec.structs.asdict(found.one_funnel)
    # (Somebody who was forgotten without a journey, and comes back, is counted twice by a log.)
    assert published.pop("profiles") >= computed.pop("profiles")
    assert published == computed
    counts = [decode_checkpoint(raw).counts for raw in await log.checkpoints() if raw is not None]
    assert found.late <= sum(each.late for each in counts)
    assert redrives or found.late == sum(each.late for each in counts)


@LAW
@given(st.integers(0, 2**32), st.sampled_from((1, 3)))
async def test_the_matrix_counts_each_event_once(seed: int, partitions: int) -> None:
    """By what each set of rules says of it alone, however many partitions it went through."""
    values = values_of(seed, 200, 20.0, partitions)
    log = await processed(values, default_rules(), partitions, seed)
    found = await compared(log, default_rules(), OTHERS)
    expected: Counter[tuple[str, bool, str, bool]] = Counter()
    read = [classifier_for(rules).classify for rules in (default_rules(), OTHERS)]
    for event in read_events(values):
        verdicts = [classify(event) for classify in read]
        cells = [(INTENTS[v.intent], v.sure) if v is not None else ("none", False) for v in verdicts]
        expected[(*cells[0], *cells[1])] += 1
    assert expected == {(n.one, n.one_sure, n.other, n.other_sure): n.events for n in found.verdicts}
    assert expected.total() == found.events


def read_events(values: Sequence[bytes]) -> list[Event]:
    """The events in these records, by the door of a start without settings."""
    reader = record_reader(Settings())
    return [event for value in values for event in events_in(reader.read(value, (), NOW, LATEST_MS))]


@pytest.mark.parametrize("off", ["look", "glance", "cart", "pay", "back"])
async def test_without_one_rule_the_events_of_that_rule_are_read_differently(off: str) -> None:
    """These, and no others; each is where the sample says."""
    log = await written(SHOP)
    less = load_rules(f'extends = "default"\noff = ["{off}"]', base=RULES)
    stored = await StoredInput.load(log)
    rules = ComparedRules(RULES, less, EVER, samples=MAX_SAMPLES)
    found = await compare_rules(stored, rules, PLENTY, lambda done, total: None)
    (change,) = found.changes
    assert (off, None) == (change.one.rule, change.other.rule)
    with_rule = [number for number, value in enumerate(SHOP) if f'"event": "{off}"'.encode() in value]
    assert with_rule == sorted(sample.offset for sample in change.samples)
    assert len(with_rule) == change.events
    assert not found.same


async def test_purchases_come_first() -> None:
    """A mistake in them is the dearest, so it is shown before what is more frequent."""
    log = await written(SHOP)
    few = load_rules('extends = "default"\noff = ["look", "pay", "back"]', base=RULES)
    found = await compared(log, RULES, few)
    assert [("back", 1), ("pay", 1), ("look", 6)] == [(kind.one.rule, kind.events) for kind in found.changes]


async def test_a_cue_alone_is_a_difference() -> None:
    """An event whose moment stays is read differently if one of the two sees a cue in it."""
    log = await written([did("u:ann", "look", 0, properties={"slow": True}), did("u:ann", "look", 1)])
    found = await compared(log, RULES, load_rules('extends = "default"\noff = ["slow"]', base=RULES))
    (change,) = found.changes
    assert (1, "slow_page", None) == (change.events, change.one.cue, change.other.cue)
    assert ({"slow_page": {"know": 1}}, {}) == tuple(
        {cue: {m: n for m, n in counts.items() if n} for cue, counts in side.cues.items()}
        for side in (found.one_funnel, found.other_funnel)
    )


@pytest.mark.parametrize("slices", [1, 3, 11])
async def test_the_number_of_slices_changes_nothing(slices: int) -> None:
    """Only how often the input is read."""
    log = await processed(values_of(5, 300, 30.0), default_rules())
    whole = await compared(log, default_rules(), OTHERS)
    found = await compared(log, default_rules(), OTHERS, memory_bytes=2 * 300 * BYTES_PER_EVENT // slices)
    assert found.slices >= slices
    assert whole == msgspec.structs.replace(found, slices=whole.slices)


async def test_a_slice_that_is_too_large_is_read_again_in_parts() -> None:
    """Rules that see far more than those in force did take more memory than was planned; nothing is counted
    twice for it.
    """
    none = load_rules('name = "few"\n[[event]]\nname = "x"\nmoment = "buy"\nconfidence = 1\nnames = ["x"]')
    log = await processed(values_of(6, 6_000, 30.0), none)
    whole = await compared(log, none, default_rules())
    found = await compared(log, none, default_rules(), memory_bytes=300_000)
    assert found.slices > 1
    assert whole == msgspec.structs.replace(found, slices=whole.slices)


async def test_a_range_counts_what_the_published_windows_count() -> None:
    """Journeys that were opened in it, as they stand now, and what was paid in it."""
    log = await processed(values_of(7, 400, 10.0), default_rules())
    newest_ms = max(decode_checkpoint(raw).watermark_ms for raw in await log.checkpoints() if raw)
    hour_ms = 3_600_000
    end_ms = (newest_ms - 24 * hour_ms) // hour_ms * hour_ms
    times = TimeRange(end_ms - 48 * hour_ms, end_ms)
    found = await compared(log, default_rules(), OTHERS, times)
    window = choose_window(48 * hour_ms, end_ms, newest_ms)
    published = report_of_cells(await read_window_tallies(log, window))
    assert published.journeys.opened > 0
    assert (published.journeys, published.furthest, published.been_in, published.revenue) == (
        found.one_funnel.journeys,
        found.one_funnel.furthest,
        found.one_funnel.been_in,
        found.one_funnel.revenue,
    )
    inside = [event for event in read_events(values_of(7, 400, 10.0)) if times.has(event.at_ms)]
    assert len(inside) == found.events


async def test_samples_are_few_and_always_the_same() -> None:
    """Of each kind at most as many as were asked for, whatever came before, and nobody is named in them."""
    values = [did(f"u:person-{n}", "cart", n) for n in range(50)]
    found = [await compared(await written(values), RULES, WITHOUT_CART) for _ in range(2)]
    assert found[0] == found[1]
    (change,) = found[0].changes
    assert (50, 2) == (change.events, len(change.samples))
    assert b"person" not in msgspec.json.encode(found[0])


def test_kinds_of_change_are_bounded() -> None:
    """What is beyond the bound is counted all the same."""
    count = MAX_KINDS + 5
    rules = load_rules(
        'name = "many"\n'
        + "".join(
            f'[[event]]\nname = "r{n}"\nmoment = "do"\nconfidence = 1\nnames = ["event {n}"]\n'
            for n in range(count)
        )
    )
    changes = VerdictChanges(rules, RULES, samples=1)
    one, other = Classifier(rules).classify, Classifier(RULES).classify
    for n in range(count):
        event = Event(f"e{n}", 0, 0, None, "ann", "track", f"event {n}", {}, {})
        changes.add(event, Origin("events:0", n, 0), (one(event), other(event)))
    assert (count, MAX_KINDS, 5) == (changes.events, len(changes.kinds), changes.unlisted)
    assert count == sum(n.events for n in changes.counts)


async def test_a_sample_says_what_was_read_and_by_what() -> None:
    """The event's name, its page and its search, and both verdicts with what they matched."""
    search = did(
        "u:ann", "Products Searched", 0,
        properties={"query": "espresso machine"},
        context={"page": {"path": "/s?mail=ann@shop.example"}, "locale": "en"},
    )  # fmt: skip
    log = await written([search])
    silent = load_rules(
        'extends = "default"\nname = "silent"\n[[event]]\nname = "searched"\nmoment = "do"\n'
        'confidence = 0.9\nnames = ["Products Searched"]'
    )
    found = await compared(log, silent, RULES)
    (change,) = found.changes
    (sample,) = change.samples
    assert ("Products Searched", "/s", "espresso machine", 0) == (
        sample.name,
        sample.page,
        sample.search,
        sample.offset,
    )
    assert ("do", True, "searched", "event") == (
        sample.one.moment,
        sample.one.sure,
        sample.one.rule,
        sample.one.evidence,
    )
    assert ("none", False, None) == (sample.other.moment, sample.other.sure, sample.other.rule)
    assert {"profile", "person", "user"}.isdisjoint(SampledEvent.__struct_fields__)


async def test_nothing_to_compare_by() -> None:
    """A log in which nothing was processed cannot say anything."""
    with pytest.raises(InputError, match="nothing has been processed yet"):
        await StoredInput.load(MemoryLog(1))


async def test_too_little_memory() -> None:
    """It is refused, with what would be enough."""
    stored = await StoredInput.load(await written(SHOP))
    with pytest.raises(ConfigError, match=r"--memory: 1 MB are not enough .* give at least 73MB"):
        bytes_for_people(stored, 1 << 20)


async def under(log: MemoryLog, partition: int, rules: Rules, minute: int) -> None:
    """One more record is read in this partition, by these rules."""
    agent = await PartitionAgent.open(log, partition, Settings(), rules)
    await log.append([NewRecord(partition, None, did("u:eve", "look", DAY + minute), NOW)])
    await agent.catch_up()


async def test_an_idle_partition_does_not_know_of_new_rules() -> None:
    """Those of a partition that has gone on from its rules are in force."""
    log = await written([did(f"u:{n}", "look", n) for n in range(20)], partitions=2)
    assert RULES == (await StoredInput.load(log)).rules_in_force()
    await under(log, 1, WITHOUT_CART, 1)
    assert WITHOUT_CART == (await StoredInput.load(log)).rules_in_force()


async def test_partitions_under_different_rules() -> None:
    """Which rules are in force cannot be said if the partitions never had the same, or each has left those of
    the other.
    """
    apart = MemoryLog(2)
    await under(apart, 0, RULES, 1)
    await under(apart, 1, WITHOUT_CART, 2)
    crossed = await written([did(f"u:{n}", "look", n) for n in range(20)], partitions=2)
    await under(crossed, 0, WITHOUT_CART, 1)
    await under(crossed, 1, WITHOUT_CART, 2)
    await under(crossed, 1, RULES, 3)
    for log in (apart, crossed):
        with pytest.raises(ConfigError, match="current: the partitions are under different rules now"):
            (await StoredInput.load(log)).rules_in_force()


async def test_what_retention_has_deleted_is_named() -> None:
    """Of the input, and of the dead letters; what is left is compared."""
    values = crowd(7, 300, 60.0)
    log = await lived(values)
    whole = await compared(log, default_rules(), OTHERS)
    assert () == whole.cut
    assert whole.late > 0
    cut(log, {"events": 0.5, "late": 0.5})
    found = await compared(log, default_rules(), OTHERS)
    assert ("events:0", "late") == found.cut
    assert 0 < found.events < whole.events
