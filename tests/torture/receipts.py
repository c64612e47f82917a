"""What became of redriven items, held to the dead letters and to the oracle.

Nothing is taken over but what is recorded because it depended on arrival: how items ended that were redriven
while events still came, and from when on the events of their people were held. In the end nothing comes any
more, so what is redriven then is judged in full.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from aiokafka.partitioner import murmur2

from schemas import Receipt
from streams import topology
from streams.core.ingest.event import Event, Items, Rejection
from streams.core.ingest.reading import ReadOutcome, RecordReader
from streams.core.ingest.times import LATEST_MS, parse_time
from streams.core.journeys.signal import event_ref, event_text, order_ref
from streams.core.moments import rules
from streams.core.moments.classifier import Classifier
from streams.core.moments.verdict import Verdict
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.dead_letters import is_canonical
from streams.log.port import Reader
from streams.records import Record
from streams.runtime.parameters import door_of_settings, parameters_of
from streams.settings.tables import Settings
from tests import oracle
from tests.simulation.account import take
from tests.simulation.linked import Linking
from tests.simulation.redrives import Frozen, Key, Limits
from tests.torture.people import People, is_device, key_of_device

RULES = rules.default_rules()
CLASSIFY = Classifier(RULES).classify
HELD_SIGNALS, PLACES = 256, 1_000  # of a person
TAKEN = ("applied", "duplicate")
Letter = tuple[str, int, int, int]  # topic, partition, offset and index of the item in an input


class RedriveRuns(NamedTuple):
    """What a run has redriven."""

    # By partition: how many batches it had committed when nothing came any more.
    batches: Sequence[int]
    last: Sequence[str]  # the ids of the commands that were left alone in the end
    later: Settings  # the settings under which these were taken


async def letters_of(log: Reader) -> dict[Letter, Record]:
    """All dead letters, by where their items were read first."""
    found = {}
    for topic in (topology.LATE, topology.REJECTED):
        async for _, record in log.scan(topic.name):
            if is_canonical(record):
                continue
            headers = {name: value.decode() for name, value in record.headers}
            place = (headers["topic"], *(int(headers[name]) for name in ("partition", "offset", "index")))
            found[place] = record
    return found  # type: ignore[return-value]  # four parts


async def receipts_of(log: Reader, partition: int) -> list[Receipt]:
    """The receipts of a partition, in the order in which it took the items."""
    decode = msgspec.json.Decoder(Receipt).decode
    return [decode(r.value) async for _, r in log.scan(topology.REDRIVEN.name, partition) if r.value]


class RedriveJudge:
    """Judges the receipts of all partitions, one after the other, and gives what counts to its people."""

    def __init__(
        self,
        people: People,
        settings: Settings,
        runs: RedriveRuns,
        letters: Mapping[Letter, Record],
        receipts: Sequence[Sequence[Receipt]],
    ) -> None:
        """`receipts`: of each partition."""
        self.figures: Counter[str] = Counter()
        self._people, self._runs, self._receipts = people, runs, receipts
        self._dims_of = parameters_of(settings.fold).dimensions.code
        self._partitions = len(runs.batches)
        self._reader = RecordReader(door_of_settings(runs.later), "clicks")
        self._items = {letter: self._read(record) for letter, record in letters.items()}
        # By part of a dead letter: how it ended, and by which command.
        self._ends: dict[tuple[Letter, int], list[tuple[str, str]]] = {}
        self._unordered: set[Key] = set()
        # Redriven events of devices that were called copies of what may have been given.
        self._copies: list[tuple[Key, oracle.Signal]] = []
        self._untrue = 0  # of what the people know to be wrong, what was said of it

    def links(self) -> Iterator[tuple[Letter, Linking]]:
        """Links that were taken from redriven items. What receipts say of whoever they are about is believed:
        in which order partitions took items and what moved is not recorded.
        """
        for r in (r for receipts in self._receipts for r in receipts):
            letter = r.topic, r.partition, r.offset, r.index
            event = self._items[letter][r.part]
            if r.link and isinstance(event, Event) and (link := link_of_event(event)):
                yield letter, link
            elif r.link:
                self._people.redriven.untrue.append(
                    f"{letter} part {r.part} is called a link, and is {event}"
                )

    def begin(self, linked: Sequence[Linking]) -> None:
        """All links are known, and these were redriven."""
        people = self._people
        for device in {key_of_device(link.device) for link in linked}:
            self._unordered |= {device, *people.users_on(device)}
        for r in (r for receipts in self._receipts for r in receipts):
            event = self._items[r.topic, r.partition, r.offset, r.index][r.part]
            if r.outcome == "applied" and isinstance(event, Event) and event.user_id is None:
                key = key_of(event)
                if not r.unmoved and (owner := people.owner(key, event.at_ms)) != key:
                    self._unordered |= {key, owner}

    def judge(self, number: int, c: Checkpoint) -> Iterator[str]:
        """What is wrong with the receipts of a partition. What counts is added to its people."""
        receipts = self._receipts[number]
        counted = Counter(r.outcome for r in receipts if r.outcome != "forwarded")
        if counted != c.counts.redriven:
            yield f"{c.counts.redriven} items redriven are counted, and there are {dict(counted)} receipts"
        for r in receipts:
            letter = r.topic, r.partition, r.offset, r.index
            self.figures[f"redriven, and {r.outcome}"] += 1
            if r.outcome == "forwarded":
                continue
            self._ends.setdefault((letter, r.part), []).append((r.outcome, r.command))
            if r.outcome not in (*TAKEN, "late"):
                continue
            event = self._items[letter][r.part]
            verdict = CLASSIFY(event) if isinstance(event, Event) else None
            if not isinstance(event, Event) or verdict is None:
                yield f"{letter} part {r.part} is {r.outcome}, and it is {event}"
                continue
            s = signal_of(event, verdict, self._dims_of)
            if how := self._take(number, c, r, key_of(event), s):
                yield f"{letter} part {r.part} {how}"
        untrue = self._people.redriven.untrue
        yield from untrue[self._untrue :]
        self._untrue = len(untrue)

    def _take(self, number: int, c: Checkpoint, r: Receipt, key: Key, s: oracle.Signal) -> str | None:
        """Takes what counts into its profile. Returns what is wrong with it beside what the people know."""
        people, redriven, said = self._people, self._people.redriven, msgspec.to_builtins(r)
        is_early = r.rev <= self._runs.batches[number]
        is_old = not is_early and s.at < c.watermark_ms - redriven.limits.finality
        profile = key if r.unmoved or is_old or not is_device(key) else people.owner(key, s.at)
        known = redriven.frozen.get(profile)
        as_said = is_early or profile in self._unordered or (known is not None and known.until == LATEST_MS)
        is_sure = not as_said or not is_device(key)
        if is_sure and partition_of_key(profile, self._partitions) != number:
            return "ended in another partition than its owner's"
        is_unmoved = people.identity.on and is_device(key) and is_old and r.outcome == "applied"
        if not as_said and r.unmoved != is_unmoved:
            return f"is {'' if r.unmoved else 'not '}called unmoved, and it is of {s.at}"
        mine = people.of(profile)
        if as_said:
            held, known_from = redriven.part(profile, mine, said)
            redriven.frozen[profile] = Frozen([], 0, LATEST_MS)
        elif is_device(key) and r.outcome != "applied" and (profile != key or people.gives(key, s)):
            self._copies.append((key, s))
            return None
        else:
            found = redriven.judge(profile, mine, s, said, (c.watermark_ms, c.timers_fired_ms), ())
            held, known_from = found.held, found.known_from
        people.forget(profile, [e for e in mine if e not in held])
        mine = people.signals.setdefault(key, [])
        if r.outcome == "applied" and take(people, key, mine, s, known_from) and r.unmoved:
            people.unmoved.add((key, people.taken[key][-1].event))
        return None

    def unfinished(self) -> Iterator[str]:
        """What does not count once, and not for a good reason, after the last commands."""
        for key, s in self._copies:
            if not any(self._people.copies(key, s)):
                yield f"of {key} no copy is known of {s}"
        for letter, items in self._items.items():
            for part, item in enumerate(items):
                ends = self._ends.get((letter, part), [])
                # What a device gave may be given once more, and is known then.
                is_given = self._people.identity.on and isinstance(item, Event) and item.user_id is None
                once = ("applied",) if is_given else TAKEN
                taken = [outcome for outcome, _ in ends if outcome in TAKEN]
                last = [outcome for outcome, command in ends if command in self._runs.last]
                if sum(outcome in once for outcome in taken) > 1:
                    yield f"{letter} part {part} counts {len(taken)} times: {ends}"
                elif not taken and last not in ([outcome] for outcome in ends_of(item)):
                    yield f"{letter} part {part} ended as {last} in the end, and it is {item}"

    def _read(self, letter: Record) -> Sequence[ReadOutcome]:
        appended = parse_time(dict(letter.headers)["appended"].decode())
        assert appended is not None, letter
        outcome = self._reader.read(letter.value, (), appended[0], LATEST_MS)
        is_several = isinstance(outcome, Items) and outcome.items
        return [item.outcome for item in outcome.items] if is_several else [outcome]  # type: ignore[union-attr]


def ends_of(item: ReadOutcome) -> tuple[str, ...]:
    """How a redriven item may end that does not count."""
    if isinstance(item, Rejection):
        return ("rejected",)
    if isinstance(item, Event) and item.apart is not None:
        return (item.apart.value,)
    if not isinstance(item, Event) or CLASSIFY(item) is None:
        return ("no_signal",)
    return ("late",)


def limits_of(settings: Settings) -> Limits:
    """What profiles hold, and for how long."""
    moments = settings.patience
    patience = oracle.Patience(
        (moments.know, moments.go, moments.do, moments.buy), settings.abandon_after, settings.refund_window,
        settings.join_window, settings.purchase_grace,
    )  # fmt: skip
    back = settings.identity.back if settings.identity.on else 0
    return Limits(patience, settings.allowed_lateness, HELD_SIGNALS, PLACES, back)


def signal_of(event: Event, verdict: Verdict, dims_of: Callable[[Event], int]) -> oracle.Signal:
    """What an event of the shop says."""
    order = event.properties.get("order_id") if verdict.intent >= oracle.BUY else None
    return oracle.Signal(
        event.at_ms, event_text(event_ref(event.id)), verdict.intent, verdict.sure, dims_of(event),
        event.utc_offset_quarters, verdict.rule,
        ("*",) if order and verdict.intent == oracle.REFUND else ("",),
        order_ref(order).hex() if order else None, cue=verdict.cue,
    )  # fmt: skip


def key_of(event: Event) -> Key:
    """Whose it is."""
    return None, f"u:{event.user_id}" if event.user_id else f"d:{event.anonymous_id}"


def link_of_event(event: Event) -> Linking | None:
    """The link that an event is, if it is not late."""
    if event.user_id is None or event.anonymous_id is None:
        return None
    return Linking(None, event.anonymous_id, event.user_id, event.at_ms, event.id)


def partition_of_key(key: Key, partitions: int) -> int:
    """Where Java clients put a record that is keyed by the person."""
    hashed: int = murmur2(key[1][2:].encode())
    return (hashed & 0x7FFFFFFF) % partitions
