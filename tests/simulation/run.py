"""One run: a script is lived through, then nothing goes wrong any more, and the laws are asked."""

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from schemas.receipt import DeadLetterTopic
from streams import topology
from streams.core.journeys.profile import folded_journal
from streams.core.moments.verdict import RuleInfo
from streams.core.processing.checkpoint import Checkpoint, decode_checkpoint
from streams.core.processing.dead_letters import NEEDS_FULL
from streams.core.processing.inbox import Forwarded, LinkMessage, Redriven, WatermarkReport
from streams.core.processing.processor import Processor
from streams.core.processing.rulebook import RulesVersion
from streams.core.processing.state_keys import restored
from streams.queries.verify import verify
from streams.records import Record, StateRecord
from streams.runtime.parameters import door_of_settings, parameters_of
from tests import oracle
from tests.simulation.account import Account, Arrival, account, owner_of, patience_of, person
from tests.simulation.cluster import Cluster, settle
from tests.simulation.laws import LAWS, NOT_SETTLED, OF_WHAT_IS_REDRIVEN, Evidence, Sent
from tests.simulation.linked import Linking, Moves, Told, settings_of, tell
from tests.simulation.moves import MOVE_LAWS, NOTHING_TOLD, moves_of, places
from tests.simulation.redrives import Key
from tests.simulation.repeats import Repeats, repeats_in
from tests.simulation.script import Command, Look, Op, write
from tests.simulation.timeline import Origin, messages_of, records_of
from tests.simulation.wire import cell_of
from tests.simulation.world import INPUTS, RULES, World, sizes

LETTERS: tuple[DeadLetterTopic, ...] = ("late", "rejected")
OF_THE_WHOLE = ("defect", "liveness", "settings", "restore", "verify", "forgotten", "batches")
NAMES = (*(law.__name__ for law in (*LAWS, *MOVE_LAWS)), *OF_THE_WHOLE)


class Broken(NamedTuple):
    """A law that does not hold, and how."""

    law: str
    how: str


class Outcome(NamedTuple):
    """What became of a run."""

    broken: list[Broken]
    digest: str  # of all output topics
    records: int
    met: Counter[str]  # what happened on the way, and how often


def simulate(world: World, script: Sequence[Op] | None = None) -> Outcome:
    """Lives through a script, by default the one that the world's seed writes."""
    with sizes(world):
        cluster = Cluster(world)
        broken: list[Broken] = []
        try:
            for broke in _live(cluster, write(world) if script is None else script):
                broken.append(broke)
        except Exception as error:  # whatever the product raises that nobody planned is a defect
            broken.append(Broken("defect", "".join(traceback.format_exception(error)[-3:])))
    return Outcome(
        broken,
        digest(cluster),
        sum(settle(cluster.log.ends()).values()),
        cluster.met,
    )


def _live(cluster: Cluster, script: Sequence[Op]) -> Iterator[Broken]:
    """Yields whatever breaks; goes on as long as it makes sense."""
    world, log = cluster.world, cluster.log
    partitions = range(world.partitions)
    for op in script:
        if isinstance(op, Look):
            found = [*_ask(cluster, op.partition), *_restored(cluster, op.partition)]
            if found:
                yield from (*found, *_verified(cluster))
                return
        else:
            cluster.do(op)
    yield from (Broken("settings", how) for how in cluster.accepted)

    # The faults stop.
    cluster.zombies()
    if how := cluster.drain():
        yield Broken("liveness", how)
        return
    latest = max(_read_mark(cluster, partition) for partition in partitions)
    found = []
    for partition in partitions:
        found += _all_read(cluster, partition)
        if latest >= 0:
            cluster.interrupt(partition, latest)  # nothing comes any more that could hide what it left
    if how := cluster.drain(watermark_ms=latest):
        yield Broken("liveness", how)
        return
    found += _ask_all(cluster, partitions, latest)
    for partition in partitions:
        found += _restored(cluster, partition)
    found += [*_redriven(cluster), *_verified(cluster)]
    yield from found
    if found or latest < 0:
        yield from _unruly(cluster)
        return
    cluster.look_back()
    yield from _redrive(cluster, latest)

    # When a refund of the last purchases may still come, though late: those people are not forgotten.
    s = world.settings
    latest += s.refund_window + s.allowed_lateness // 2
    if how := cluster.drain(watermark_ms=latest):
        yield Broken("liveness", how)
        return
    yield from _ask_all(cluster, partitions, latest)

    # Long after: everything is over, and nothing is left of anybody but what was said.
    long_ms = s.abandon_after + s.refund_window + 6 * s.allowed_lateness
    if world.identity:
        long_ms += 2 * (s.identity.back + s.identity.forward)
    for wait in (long_ms, s.allowed_lateness):
        latest += wait
        if how := cluster.drain(watermark_ms=latest):
            yield Broken("liveness", how)
            return
    yield from _redrive(cluster, latest)  # to people whom nobody knows any more
    for wait in (0, long_ms, s.allowed_lateness):
        latest += wait
        if how := cluster.drain(watermark_ms=latest):
            yield Broken("liveness", how)
            return
    yield from _ask_all(cluster, partitions, latest, forgotten=True)
    for partition in partitions:
        stored = log._stored[partition].latest
        people = [key for key in stored[topology.STATE.name] if key[:1] in (b"p", b"i")]
        current = [*stored[topology.CURRENT.name], *stored[topology.CURRENT_DEVICES.name]]
        if people or current:
            yield Broken("forgotten", f"partition {partition}: left behind: {people[:3]} {current[:3]}")
    yield from _unruly(cluster)


def _redrive(cluster: Cluster, latest: int) -> Iterator[Broken]:
    """All dead letters are redriven once more. Most laws are asked when time has gone on."""
    if not cluster.world.redrives:
        return
    for letter in LETTERS:
        cluster.do(Command(letter, latest, is_blind=cluster.world.seed % 2 == 0))
    if how := cluster.drain(watermark_ms=latest):
        yield Broken("liveness", how)
        return
    for partition in range(cluster.world.partitions):
        yield from _restored(cluster, partition)
    yield from (*_redriven(cluster), *_verified(cluster))


def _unruly(cluster: Cluster) -> Iterator[Broken]:
    """Every batch that was committed holds what a batch may hold."""
    yield from (Broken("batches", how) for how in cluster.unruly[:1])


def _verified(cluster: Cluster) -> Iterator[Broken]:
    """The product's own recomputation agrees. It is asked whenever there is something to compare."""
    if cluster.world.identity and cluster.world.crowded:
        return  # it could not know what was not decided in time
    if any(stored.checkpoint for stored in cluster.log._stored) and (
        found := settle(verify(cluster.log, lambda done, total: None)).difference
    ):
        yield Broken("verify", found)


def _all_read(cluster: Cluster, partition: int) -> Iterator[Broken]:
    """Everything was processed, and that is committed."""
    stored = cluster.log._stored[partition].checkpoint
    read = decode_checkpoint(stored).sources if stored is not None else {}
    for source, end in settle(cluster.log.ends()).items():
        if topology.split_source(source)[1] == partition:
            offset = read[source].offset if source in read else 0
            if offset < end:
                yield Broken("liveness", f"{end - offset} records of {source} were left, at offset {offset}")


def _read_mark(cluster: Cluster, partition: int) -> int:
    stored = cluster.log._stored[partition].checkpoint
    return decode_checkpoint(stored).watermark_ms if stored is not None else -1


class _Look(NamedTuple):
    """What is committed of a partition, and what its input says."""

    stored: Any  # of the memory log
    checkpoint: Checkpoint
    versions: list[RulesVersion]
    read_with: dict[str, list[str]]  # by source, the version of the rules that read each record
    account: Account

    @property
    def rules(self) -> list[tuple[RuleInfo, str]]:
        """By code, with their version."""
        return [(rule, v.version) for v in self.versions for rule in v.rules]


def _look(cluster: Cluster, partition: int) -> _Look | Broken | None:
    """None: nothing is committed yet."""
    world, stored = cluster.world, cluster.log._stored[partition]
    raw = stored.checkpoint
    if raw is None:
        return None
    c = decode_checkpoint(raw)
    state = restored(
        StateRecord(key, record.value) for key, record in stored.latest[topology.STATE.name].items()
    )
    versions = [state.versions[n] for n in sorted(state.versions)]
    timeline, late = cluster.timelines[partition], [*_items(stored)]
    read_with: dict[str, list[str]] = {source: [] for source in cluster.log.sources(partition)}
    for source, record, version in records_of(timeline):
        if record.offset != len(read_with[source]):
            how = f"{source}: offset {record.offset} was read when {len(read_with[source])} was next"
            return Broken("endings", how)
        read_with[source].append(version)
    arrival = Arrival(
        {_origin(r) for r in late if dict(r.headers)["reason"] == b"over_cap"},
        {_origin(r) for r in late if dict(r.headers)["reason"] == b"lateness"},
        {
            _origin(r): tuple(_decode(dict(r.headers)["left_out"]))
            for r in late
            if dict(r.headers)["reason"] == b"needs_full"
        },
        {((f"{r['topic']}:{r['partition']}", r["offset"]), r["command"]): r for r in _receipts(stored)},
    )
    reported = {}
    for n, message in messages_of(stored.appended[topology.INBOX.name]):
        if isinstance(message, WatermarkReport):
            sender = cluster.senders[partition][n]
            reported[n] = cluster.reaches[sender.partition][sender.batch]
    bases = {v.version: v.first_code for v in versions if not v.is_foreign}
    by = account(timeline, reported, bases, arrival, world, partition)
    return _Look(stored, c, versions, read_with, by)


def _ask(
    cluster: Cluster, partition: int, latest: int | None = None, forgotten: bool = False
) -> Iterator[Broken]:
    """The laws of one partition, on what is committed: see `_ask_all`."""
    yield from _ask_all(cluster, [partition], latest, forgotten)


def _ask_all(
    cluster: Cluster, partitions: Iterable[int], latest: int | None = None, forgotten: bool = False
) -> Iterator[Broken]:
    """The laws of some partitions, on what is committed.

    `latest`: nothing is left to do, and this is the whole input's greatest time.
    """
    world, looks = cluster.world, dict[int, _Look]()
    for partition in partitions:
        found = _look(cluster, partition)
        if isinstance(found, Broken):
            yield found._replace(how=f"partition {partition}: {found.how}")
        elif found is not None:
            looks[partition] = found
    told, rules = NOTHING_TOLD, None
    if world.identity and latest is not None:
        told = _told(looks.values(), world)
        rules = [rule for look in looks.values() for rule in look.rules]
        for partition, look in looks.items():
            theirs = copy(look.account)
            theirs.signals = {
                key: signals
                for key, signals in told.signals.items()
                if owner_of(person(*key), world.partitions) == partition
            }
            looks[partition] = look._replace(account=theirs)
    for partition, look in looks.items():
        evidence = _evidence(cluster, partition, look, told, latest)
        evidence.rules = rules or look.rules
        for law in _laws(world, latest):
            for how in law(evidence):
                then = ", long after" if forgotten else ""
                yield Broken(law.__name__, f"partition {partition}{then}: {how}")
                break


def _told(looks: Iterable[_Look], world: World) -> Told:
    """Whose everything is that all partitions have read. The rules of signals are those of all partitions,
    one after the other: each has codes of its own.
    """
    signals: dict[Key, list[oracle.Signal]] = {}
    rules, late, linking = 0, set[Origin](), list[tuple[Origin, Linking]]()
    for look in looks:
        a = look.account
        signals |= {key: [s._replace(rule=rules + s.rule) for s in mine] for key, mine in a.signals.items()}
        late |= a.late_links.keys()
        linking += a.linking.items()
        rules += len(look.rules)
    return tell(signals, [link for origin, link in linking if origin not in late], settings_of(world))


def _laws(world: World, latest: int | None) -> Iterator[Callable[[Evidence], Iterator[str]]]:
    """Those that must hold now."""
    if not world.identity:
        yield from LAWS
        return
    lawful = latest is not None and world.told_by_oracle
    left_out = (*(() if lawful else NOT_SETTLED), *(OF_WHAT_IS_REDRIVEN if world.redrives else ()))
    yield from (law for law in LAWS if law not in left_out)
    yield from (law for law in MOVE_LAWS if lawful or law is not places)


def _evidence(cluster: Cluster, partition: int, look: _Look, told: Told, latest: int | None) -> Evidence:
    world, stored, c, by = cluster.world, look.stored, look.checkpoint, look.account
    cluster.met["on time by a slower source"] += by.spared
    cluster.met.update(by.redriven.met)
    late, receipts = [*_items(stored)], [*_receipts(stored)]
    mark = by.mark if latest is None else max(latest, by.mark)
    most = max(mark - 1, cluster.clocks[partition])
    least = mark - 1 if latest is not None or world.chores > 1_000 else -1
    s = world.settings
    return Evidence(
        account=by,
        checkpoint=c,
        topics={
            "transitions": _values(stored.appended[topology.TRANSITIONS.name]),
            "cues": _values(stored.appended[topology.CUES.name]),
            "journeys": _values(stored.appended[topology.JOURNEYS.name]),
            "tallies": [cell_of(t) for t in _values(stored.latest[topology.TALLIES.name].values())],
            "sink": [cell_of(t) for t in cluster.sinks[partition].table.values()],
            "stale": cluster.sinks[partition].stale,
            "current": _values(stored.latest[topology.CURRENT.name].values()),
            "current_devices": _values(stored.latest[topology.CURRENT_DEVICES.name].values()),
            "late": [_origin(r) for r in late],
            "rejected": [_origin(r) for r in stored.appended[topology.REJECTED.name]],
            "redriven": receipts,
            "named": [(t["cell"], cell_of(t)[0]) for t in cluster.sinks[partition].table.values()],
        },
        rules=look.rules,
        names=parameters_of(s.fold).dimensions.names,
        patience=patience_of(world),
        allowed_lateness=s.allowed_lateness,
        mark=mark,
        timers=(least, most),
        eras=(_recorded(c, look.read_with, [v.version for v in look.versions]), look.read_with),
        everything=latest is not None,
        seen=cluster.seen.get(partition),
        place=(partition, world.partitions),
        keyed=[*_keyed(stored)],
        sourced=[
            (dict(record.headers), _decode(record.value or b""))
            for record in stored.appended[topology.TRANSITIONS.name]
        ],
        events=_inputs(cluster),
        sent=_sent(cluster, partition),
        back=world.finality_delay - s.allowed_lateness,
        moves=_moves(cluster, partition, told) if world.identity else None,
        find_repeats=(lambda: _repeats(cluster)) if world.identity else None,
    )  # fmt: skip


def _moves(cluster: Cluster, partition: int, told: Told) -> Moves:
    return moves_of(_fresh(cluster, partition), told, lawful=not cluster.world.crowded)


def _inputs(cluster: Cluster) -> dict[tuple[str, int], list[Record]]:
    """All inputs, by topic and partition."""
    world, stored = cluster.world, cluster.log._stored
    return {
        (topic, n): stored[n].appended[topic]
        for topic in INPUTS[: world.inputs]
        for n in range(world.partitions)
    }


def _repeats(cluster: Cluster) -> Repeats:
    """Which events may count more than once, of a day with identity on."""
    every = cluster.log._stored
    not_counted = [
        _origin(r)
        for stored in every
        for r in (*_items(stored), *stored.appended[topology.REJECTED.name])
        if dict(r.headers)["reason"] != NEEDS_FULL.encode()
    ]
    redriven = [
        every[r["partition"]].appended[r["topic"]][r["offset"]]
        for stored in every
        for r in _receipts(stored)
        if r["outcome"] == "applied"
    ]
    return repeats_in(cluster.world, _inputs(cluster), not_counted, redriven)


def _items(stored: Any) -> Iterator[Record]:
    """The late items of a partition, as they came: without what is known of links and of given events."""
    return (r for r in stored.appended[topology.LATE.name] if dict(r.headers).get("form") != b"event")


def _receipts(stored: Any) -> Iterator[dict[str, Any]]:
    for r in stored.appended[topology.REDRIVEN.name]:
        yield _decode(r.value)


def _redriven(cluster: Cluster) -> Iterator[Broken]:
    """Every command has its receipts, and an item counts once at most, whoever redrives it, and wherever."""
    yield from (Broken("redrives", how) for how in cluster.commands.unanswered())
    told = [r for stored in cluster.log._stored for r in _receipts(stored)]
    cluster.met.update(f"redriven, and {r['outcome']}" for r in told)
    # (With identity on, what a device has given is given once more, and is a duplicate then.)
    counts = ("applied",) if cluster.world.identity else ("applied", "duplicate")
    counted = Counter((r["topic"], r["partition"], r["offset"]) for r in told if r["outcome"] in counts)
    yield from (Broken("redrives", f"{item} counts {n} times") for item, n in counted.items() if n > 1)


def _keyed(stored: Any) -> Iterator[tuple[str, bytes | None, str | None, str]]:
    """Topic, key, tenant and profile of each record about a person."""
    for topic in (topology.TRANSITIONS, topology.CUES, topology.JOURNEYS):
        for r in stored.appended[topic.name]:
            value = _decode(r.value)
            yield topic.name, r.key, value["tenant"], value["profile"]
    for topic in (topology.CURRENT, topology.CURRENT_DEVICES):
        for key, r in stored.latest[topic.name].items():
            value = _decode(r.value)
            yield topic.name, key, value["tenant"], value["profile"]
    for r in _items(stored):
        shop = _decode(r.value or b"")["properties"].get("shop")  # there is one only where there are tenants
        yield topology.LATE.name, r.key, shop or None, dict(r.headers)["profile"].decode()


def _recorded(
    c: Checkpoint, read_with: Mapping[str, Sequence[str]], names: list[str]
) -> dict[str, list[str]]:
    """By source and offset: the version of the rules that is recorded to have read it."""
    return {
        source: [
            next(
                (names[era.rules] for era in reversed(c.eras) if era.offsets.get(source, 0) <= n),
                "no version",
            )
            for n in range(len(read))
        ]
        for source, read in read_with.items()
    }


def _origin(letter: Record) -> Origin:
    """Where a dead letter was read."""
    headers = dict(letter.headers)
    return (
        topology.source_name(headers["topic"].decode(), int(headers["partition"])),
        int(headers["offset"]),
    )


def _sent(cluster: Cluster, partition: int) -> Sent:
    """What a partition has put into the inboxes of others."""
    sent = Sent([], [], [], [])
    for owner, stored in enumerate(cluster.log._stored):
        for n, message in messages_of(stored.appended[topology.INBOX.name]):
            sender = cluster.senders[owner][n]
            if sender.partition == partition:
                if isinstance(message, WatermarkReport):
                    reach = cluster.reaches[partition][sender.batch]
                    own = cluster.timelines[partition][sender.batch].watermark_ms
                    sent.reports.append((message, (reach, own)))
                elif isinstance(message, Forwarded):
                    sent.forwarded.append((owner, message))
                elif isinstance(message, Redriven):
                    sent.redriven.append((owner, message))
                elif isinstance(message, LinkMessage):
                    sent.links.append((owner, message))
                else:
                    cluster.met[type(message).__name__] += 1
                    assert cluster.world.identity, message
    return sent


_decode = msgspec.json.Decoder().decode


def _values(records: Iterable[Record]) -> list[dict[str, object]]:
    return [_decode(r.value) for r in records if r.value is not None]


def _fresh(cluster: Cluster, partition: int) -> Processor:
    """A partition as it would begin anew."""
    settings, stored = cluster.world.settings, cluster.log._stored[partition]
    processor = Processor(
        partition, parameters_of(settings.fold), settings.fold.record(), RULES[0], door_of_settings(settings),
        cluster.world.partitions,
    )  # fmt: skip
    assert stored.checkpoint is not None
    processor.restore(
        decode_checkpoint(stored.checkpoint),
        [StateRecord(key, r.value) for key, r in stored.latest[topology.STATE.name].items()],
    )
    return processor


KNOWN = ("marks", "counts", "counters", "people", "redriven", "devices")


def _restored(cluster: Cluster, partition: int) -> Iterator[Broken]:
    """What a restart would know is what the owner knows."""
    hand = cluster.workers[cluster.owner[partition]].hands.get(partition)
    if hand is None or hand.agent is None or hand.doing is not None:
        return
    stored = cluster.log._stored[partition]
    # a memory session
    if stored.checkpoint is None or hand.agent.session.inner._epoch != stored.epoch:  # type: ignore[attr-defined]
        return
    held, fresh = hand.agent.processor, _fresh(cluster, partition)
    for what, a, b in zip(KNOWN, _knows(held), _knows(fresh), strict=True):
        if a != b:
            yield Broken("restore", f"partition {partition}: {what}: held {a}, restored {b}")
            return
    for p in fresh.population.profiles:
        mine = held.population.profiles.get(p.key)
        assert mine is not None, p.key
        if p.armed_ms >= 0 and not 0 <= mine.armed_ms <= p.armed_ms:
            yield Broken(
                "restore",
                f"partition {partition}: {p.key} has its timer at {mine.armed_ms}, its deadline is "
                f"{p.armed_ms}",
            )
            return
        for which, population, armed_ms in (
            ("held", held.population, mine.armed_ms),
            ("restored", fresh.population, p.armed_ms),
        ):
            if armed_ms >= 0 and (armed_ms, p.key) not in population._timers:
                yield Broken(
                    "restore",
                    f"partition {partition}: {p.key} is armed for {armed_ms}, and {which} there is no "
                    "such timer",
                )
                return


def _knows(processor: Processor) -> tuple[object, ...]:
    c, population = processor.checkpoint, processor.population
    people = {
        p.key: (
            folded_journal(p) + p.journal,
            p.facts,
            p.newest_head,
            p.first_segment,
            p.needs,
            (p.released, p.final_ms, p.redriving, p.origins),
            {p.needs[s.need]: _state(s) for s in p.states if s.journey or s.conversions},
        )
        for p in population.profiles
    }
    tables = [{start: cells for start, cells in table.items() if cells} for table in processor.windows.tables]
    marks = (
        c.offset,
        population.watermark_ms,
        population.timers_fired_ms,
        c.rev,
        population.settled_mark_ms,
    )
    devices = {} if processor.connector is None else processor.connector.devices._devices
    linked = {key: (device.links, device.given, device.full_ms) for key, device in devices.items()}
    return marks, c.counts, tables, people, processor.redriven.fates, linked


def _state(s: object) -> object:
    fields = msgspec.to_builtins(s)
    return [*fields[1:]] if isinstance(fields, list) else fields  # the number of a need says nothing


def digest(cluster: Cluster) -> str:
    """Of every output that a replay repeats, in order."""
    h = blake2b(digest_size=16)
    for stored in cluster.log._stored:
        for topic in sorted({*stored.appended, *stored.latest} - {topology.PROGRESS.name}):
            records = (
                stored.appended[topic]
                if topic in stored.appended
                else [r for _, r in sorted(stored.latest[topic].items())]
            )
            for r in records:
                h.update(repr((topic, r.offset, r.key, r.value, r.headers)).encode())
        h.update(stored.checkpoint or b"-")
    return h.hexdigest()
