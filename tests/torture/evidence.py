"""What is committed, and what the stored input says by the oracle; and
the laws that hold the two to each other.

The laws of a partition's outputs are the simulator's. Taken over from the product is which records it judged
late, since that depends on the order in which it read them, and nobody else saw that; what it calls late is
neither lost nor counted twice, and not more than a part of all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from streams import topology
from streams.core.ingest.event import Items, Rejection
from streams.core.ingest.reading import RecordReader
from streams.core.processing.checkpoint import OUTCOMES, Checkpoint, decode_checkpoint
from streams.core.processing.dead_letters import is_canonical
from streams.log.port import Reader
from streams.records import Record
from streams.runtime.parameters import door_of_settings, parameters_of
from streams.settings.tables import Settings
from streams.topology import split_source
from tests import oracle
from tests.simulation import laws
from tests.simulation.linked import Linking, Moves
from tests.simulation.redrives import Key, RedrivenPeople
from tests.simulation.wire import cell_of
from tests.torture.linking import (
    Linkings,
    Place,
    late_links_of,
    read_inbox,
    unlawful_moves,
    wrong_identities,
)
from tests.torture.people import People, spans_of
from tests.torture.receipts import (
    CLASSIFY,
    RULES,
    RedriveJudge,
    RedriveRuns,
    key_of,
    letters_of,
    limits_of,
    link_of_event,
    partition_of_key,
    receipts_of,
    signal_of,
)

LATE_PART = 0.3  # of all records: with more of them late a run would say little
LAWS = (laws.rev, laws.once, laws.standing, laws.cues, laws.tallies, laws.currents, laws.finals, laws.keys)


class Broken(NamedTuple):
    """A law that does not hold, and how."""

    law: str
    how: str


@dataclass
class Account:
    """What the stored input says of one partition of the app.

    It has what the simulator's account has, so that the simulator's laws can read it.
    """

    redriven: RedrivenPeople
    again: Counter[tuple[Key, str]]
    taken: dict[Key, list[oracle.Signal]]
    signals: dict[Key, list[oracle.Signal]] = field(default_factory=dict)  # once it is told whose they are
    counts: Counter[str] = field(default_factory=Counter)
    rejected: set[Place] = field(default_factory=set)
    forwarded_here: set[Place] = field(default_factory=set)  # read in other partitions
    read_links: list[tuple[Place, Linking]] = field(default_factory=list)  # read here, late or not


class Found(NamedTuple):
    """What a run has led to."""

    broken: list[Broken]
    figures: dict[str, int]


async def look(log: Reader, settings: Settings, sent: int, redrives: RedriveRuns) -> Found:
    """Reads everything and checks every law."""
    broken: list[Broken] = []
    figures: Counter[str] = Counter()
    stored = [decode_checkpoint(raw) if raw is not None else None for raw in await log.checkpoints()]
    if None in stored:
        return Found(
            [
                Broken(
                    "liveness",
                    f"partitions without a checkpoint: {[n for n, c in enumerate(stored) if c is None]}",
                )
            ],
            {},
        )
    if unlawful := unlawful_moves([c for c in stored if c is not None]):
        return Found([Broken("moves", f"there must be none of these: {dict(unlawful)}")], {})
    late = [await _dead_letters(log, topology.LATE.name, n) for n in range(log.partitions)]
    rejected = [await _dead_letters(log, topology.REJECTED.name, n) for n in range(log.partitions)]
    for name, letters in (("late", late), ("rejected", rejected)):
        twice = [
            place
            for place, n in Counter(place for partition in letters for place in partition).items()
            if n > 1
        ]
        if twice:
            broken.append(
                Broken(
                    "dead letters",
                    f"{len(twice)} records are in the {name} topic more than once: {twice[:3]}",
                )
            )
    inputs = {
        source: [r async for r in log.scan_source(source)]
        for n in range(log.partitions)
        for source in log.sources(n)[:-1]
    }
    figures["input records"] = sum(map(len, inputs.values()))
    if figures["input records"] < sent:
        broken.append(
            Broken(
                "loader",
                f"{sent} records were sent, {figures['input records']} are stored: the run itself is wrong",
            )
        )
    people = People(spans_of(settings), RedrivenPeople(limits_of(settings)))
    accounts = account(log, inputs, settings, {place for partition in late for place in partition}, people)
    receipts = [await receipts_of(log, number) for number in range(log.partitions)]
    judge = RedriveJudge(people, settings, redrives, await letters_of(log), receipts)
    inboxes = [await read_inbox(log, number) for number in range(log.partitions)]
    linking = Linkings(people, [a.read_links for a in accounts], [*judge.links()], await late_links_of(log))
    judge.begin(linking.redriven)
    for number, c in enumerate(stored):
        assert c is not None
        judged = judge.judge(number, c)
        broken += [Broken("redrives", f"partition {number}: {how}") for how in judged]
    told = people.told()
    for key, signals in told.signals.items():
        accounts[partition_of_key(key, log.partitions)].signals[key] = signals
    ends = await log.ends()
    for number, (a, c) in enumerate(zip(accounts, stored, strict=True)):
        assert c is not None
        for how in _accounted(log, number, a, c, ends, late[number], rejected[number]):
            broken.append(Broken("offsets", f"partition {number}: {how}"))
        arrived = Counter(inboxes[number].forwarded)
        if arrived != Counter(a.forwarded_here):
            lost, more = Counter(a.forwarded_here) - arrived, arrived - Counter(a.forwarded_here)
            broken.append(
                Broken(
                    "inbox",
                    f"partition {number}: {lost.total()} lost, {more.total()} too many: {[*lost][:3]} "
                    f"{[*more][:3]}",
                )
            )
        figures.update({name: getattr(c.counts, name) for name in ("received", *OUTCOMES)})
        figures["forwarded"] += c.counts.forwarded
        records = {
            name: [(r.key, msgspec.json.decode(r.value)) async for _, r in log.scan(name, number) if r.value]
            for name in ("transitions", "cues", "journeys", "current", "current_devices", "tallies")
        }
        topics: dict[str, list[Any]] = {
            name: [value for _, value in pairs] for name, pairs in records.items()
        }
        evidence = laws.Evidence(
            account=a,  # type: ignore[arg-type]  # has what these laws look at
            checkpoint=c,
            # (Nobody who is forgotten within a month comes back: no redriven event counts a second time.)
            topics={**topics, "tallies": [cell_of(t) for t in topics["tallies"]], "redriven": []},
            rules=[(rule, RULES.version) for rule in RULES.rules],
            names=parameters_of(settings.fold).dimensions.names,
            patience=oracle.Patience(
                (settings.patience.know, settings.patience.go, settings.patience.do, settings.patience.buy),
                settings.abandon_after, settings.refund_window, settings.join_window,
                settings.purchase_grace,
            ),
            allowed_lateness=settings.allowed_lateness, mark=c.watermark_ms, timers=(-1, c.timers_fired_ms),
            eras=({}, {}),
            everything=True,
            place=(number, log.partitions),
            keyed=[
                (name, key, value["tenant"], value["profile"])
                for name, pairs in records.items() if name != topology.TALLIES.name for key, value in pairs
            ],
            back=people.redriven.limits.back,
            moves=Moves(told, {}, {}, c.counts.moves, c.settled_mark_ms, lawful=True)
            if people.identity.on else None,
        )  # fmt: skip
        for law in LAWS:
            broken += [Broken(law.__name__, f"partition {number}: {how}") for how in law(evidence)]
        figures["profiles"] += len(a.signals)
        figures["transition records"] += len(topics["transitions"])
        figures["of them retractions"] += sum(t["op"] == "retract" for t in topics["transitions"])
        figures["net transitions, equal to the oracle's"] += sum(map(len, evidence.steps.values()))
        figures["counters compared"] += len(evidence.topics["tallies"])
        figures["final journeys"] += len(topics["journeys"])
    if people.identity.on:
        checkpoints = [c for c in stored if c is not None]
        broken += [Broken(*found) for found in linking.broken(inboxes, checkpoints, told)]
        for how in await wrong_identities(log, people, checkpoints):
            broken.append(Broken("identities", how))
        figures.update(linking.figures)
    broken += [Broken("redrives", how) for how in judge.unfinished()]
    figures.update(judge.figures)
    forwarded = sum(len(a.forwarded_here) for a in accounts)
    for outcome, true in (("received", figures["input records"]), ("forwarded", forwarded)):
        if figures[outcome] != true:
            broken.append(
                Broken("offsets", f"{figures[outcome]} records {outcome}, {true} by the stored input")
            )
    if figures["late"] > LATE_PART * figures["input records"]:
        broken.append(Broken("late", f"{figures['late']} of {figures['input records']} records were late"))
    return Found(broken, dict(figures))


def account(
    log: Reader,
    inputs: Mapping[str, list[Record]],
    settings: Settings,
    late: set[Place],
    people: People,
) -> list[Account]:
    """Reads the stored input once more, one record at a time. What counts is given to its people."""
    accounts = [Account(people.redriven, people.again, people.taken) for _ in range(log.partitions)]
    readers = {source: n for n in range(log.partitions) for source in log.sources(n)}
    dims_of = parameters_of(settings.fold).dimensions.code
    reader = RecordReader(door_of_settings(settings), "clicks")
    copies: dict[tuple[Key, str], list[oracle.Signal]] = {}
    for source, records in inputs.items():
        topic, number = split_source(source)
        here = accounts[readers[source]]
        for record in records:
            place = (topic, number, record.offset)
            event = reader.read(record.value, record.headers, record.time_ms, record.time_ms + settings.skew)
            if isinstance(event, Rejection):
                here.rejected.add(place)
                continue
            if isinstance(event, Items):
                assert not event.items, "the loader sends no batches"
                here.counts["no_signal"] += 1
                continue
            if event.apart is not None:
                here.counts[event.apart.value] += 1
                continue
            if people.identity.on and (link := link_of_event(event)):
                here.read_links.append((place, link))
            verdict = CLASSIFY(event)
            if verdict is None:
                here.counts["no_signal"] += 1
                continue
            key = key_of(event)
            a = accounts[partition_of_key(key, log.partitions)]
            if a is not here:
                a.forwarded_here.add(place)
            if place in late:
                a.counts["late"] += 1
                continue
            a.counts["counted"] += 1
            s = signal_of(event, verdict, dims_of)
            copies.setdefault((key, s.event), []).append(s)
    for (key, event_id), same in copies.items():
        people.again[key, event_id] = 1
        people.signals.setdefault(key, []).append(oracle.history(same)[0])
    return accounts


def _accounted(
    log: Reader,
    number: int,
    a: Account,
    c: Checkpoint,
    ends: Mapping[str, int],
    late: list[Place],
    rejected: list[Place],
) -> Iterator[str]:
    """Every offset was read, and every record ended in exactly one way."""
    for source in log.sources(number):
        position = c.sources.get(source)
        if (offset := position.offset if position else 0) > ends[source] or (
            offset < ends[source] and not source.startswith("inbox")
        ):
            yield f"{source} was read up to {offset}, and ends at {ends[source]}"
    n = c.counts
    if n.received != sum(getattr(n, name) for name in OUTCOMES):
        yield f"{n} does not add up"
    for what, counted, true in (
        ("no signal", n.no_signal, a.counts["no_signal"]),
        ("refused", n.refused, a.counts["refused"]), ("robot", n.robot, a.counts["robot"]),
        ("applied or duplicate", n.applied + n.duplicate, a.counts["counted"]),
        ("late", n.late, a.counts["late"]), ("in the late topic", len(late), a.counts["late"]),
        ("rejected", n.rejected, len(a.rejected)),
    ):  # fmt: skip
        if counted != true:
            yield f"{what}: {counted} counted, {true} by the stored input"
    if set(rejected) != a.rejected:
        yield f"the rejected topic holds {len(rejected)} records, by the stored input {len(a.rejected)}"


async def _dead_letters(log: Reader, topic: str, number: int) -> list[Place]:
    found = []
    async for _, record in log.scan(topic, number):
        if is_canonical(record):  # of a link, or of an event that a device gave
            continue
        headers = dict(record.headers)
        found.append((headers["topic"].decode(), int(headers["partition"]), int(headers["offset"])))
    return found
