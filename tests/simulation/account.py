"""What all that a partition has read says, record by record and independently of the code that folds it.

Taken over from the product are readers without memory (segment, classifier, dimensions, messages) and what is
recorded because it cannot be known from the input: which sources were read first, and to their end; which
version of the rules read a record; whether another partition called itself idle; and which records came
before what an over-busy profile still held. Which needs are left out of a record is recorded, too. It is
judged here by the oracle, and taken over so that one difference does not make others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple, Protocol

import msgspec
from aiokafka.partitioner import murmur2

from streams.core.ingest.event import Event, Items
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.signal import order_ref
from streams.core.moments.classifier import Classifier
from streams.core.moments.verdict import Verdict
from streams.core.processing.inbox import Forwarded, LinkMessage, Redriven, WatermarkReport
from streams.records import Fetched, Record
from streams.runtime.parameters import door_of_settings, parameters_of
from streams.topology import is_inbox, split_source
from tests import oracle
from tests.simulation.linked import Linking, Links, link_of
from tests.simulation.redrives import AGAIN, Key, Limits, Moved, RedrivenPeople, Said
from tests.simulation.timeline import Origin, Read, messages_of
from tests.simulation.watermarks import Watermarks
from tests.simulation.world import REFUSAL, ROBOT_AGENT, RULES, World

# By the ending: what tells the events that are counted apart, whatever the product makes of it.
APART = {"refused": msgspec.json.encode(REFUSAL), "robot": ROBOT_AGENT.encode()}
CLASSIFIERS = {rules.version: Classifier(rules) for rules in RULES}


Again = Counter[tuple[Key, str]]
"""How often an event id of a person was taken for a new one."""


class Arrival(NamedTuple):
    """What is recorded since it depended on arrival: what was called over_cap, old orders that were not
    known, and the needs that were left out of other events.
    """

    over_cap: set[Origin]
    unknown: set[Origin]  # what was late for another reason; an old order may be unknown
    left_out: Mapping[Origin, tuple[str, ...]]
    receipts: Mapping[tuple[Origin, str], Said]  # of redriven items, by the command


@dataclass
class Account:
    """How each record ended, and everybody's events."""

    signals: dict[Key, list[oracle.Signal]] = field(default_factory=dict)
    taken: dict[Key, list[oracle.Signal]] = field(default_factory=dict)  # the same in the order of reading
    counts: Counter[str] = field(default_factory=Counter)
    rejected: list[Origin] = field(default_factory=list)
    late: list[Origin] = field(default_factory=list)
    forwarded: list[tuple[int, Origin]] = field(default_factory=list)  # to which partition
    spared: int = 0  # events that would be late if the input that is furthest decided
    mark: int = -1  # the watermark
    settled: int = -1  # the settled mark
    linking: dict[Origin, Linking] = field(default_factory=dict)  # events that were read here and are links
    late_links: dict[Origin, bool] = field(default_factory=dict)  # whether one says anything new
    again: Again = field(default_factory=Counter)
    # What was called over_cap although its profile had neither so many signals nor so many needs; old orders
    # that were known to nobody, and were taken all the same.
    unjust: list[Origin] = field(default_factory=list)
    # The needs that were left out, and those for which there was no place, where these differ.
    misplaced: dict[Origin, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    # By command and item: what the receipts must say, and which histories those that count have changed.
    receipts: dict[tuple[Origin, str], dict[str, Any]] = field(default_factory=dict)
    moved: dict[tuple[Origin, str], Moved] = field(default_factory=dict)
    redriven: RedrivenPeople = field(init=False)


def account(
    timeline: Sequence[Read],
    reported: Mapping[int, int],
    bases: Mapping[str, int],
    arrival: Arrival,
    world: World,
    partition: int,
) -> Account:
    """Judges all that a partition has read, in that order.

    `reported`: what the reports in its inbox had to say, by offset; `bases`: code of the first rule of each
    version; `arrival`: what depended on arrival, as it is recorded.
    """
    judge = _Judge(world, partition, reported, bases, arrival)
    session = -1
    for batch in timeline:
        if batch.session != session:
            session = batch.session
            judge.marks.restart()
        for fetched in batch.fetched:
            judge.take(fetched, batch.rules)
        judge.time = batch.watermark_ms, batch.timers_ms
    judge.account.mark, judge.account.settled = judge.marks.own, judge.marks.settled
    return judge.account


class _Judge:
    """Goes through what a partition has read."""

    def __init__(
        self,
        world: World,
        partition: int,
        reported: Mapping[int, int],
        bases: Mapping[str, int],
        arrival: Arrival,
    ) -> None:
        self.account = Account()
        s = world.settings
        limits = Limits(patience_of(world), s.allowed_lateness, world.cap, world.needs)
        self.account.redriven = RedrivenPeople(limits)
        self.time = -1, -1  # the watermark, and how far timers have fired, as the batch began
        self._fates: dict[Origin, str | int] = {}  # of redriven items: who took it, or where it was sent on
        others = [n for n in range(world.partitions) if n != partition] if world.messages else []
        self.marks = Watermarks(world.inputs_of(partition), others, has_identity=world.identity)
        self._world, self._partition, self._reported = world, partition, reported
        self._bases, self._arrival = bases, arrival
        self._dims_of = parameters_of(world.settings.fold).dimensions.code
        self._reader = RecordReader(door_of_settings(world.settings), "events")
        self._links = Links()  # of the devices that this partition owns

    def take(self, fetched: Fetched, version: str) -> None:
        """All that one look at the sources has found. What is yet to be read of it has not ended."""
        left = [source for source, _ in fetched.chunks]
        # Redriven items come first: those behind anything else wait for the next batch.
        for _, records in [chunk for chunk in fetched.chunks if is_inbox(chunk[0])]:
            for _, message in messages_of(records):
                if not isinstance(message, Redriven):
                    break
                if not self._world.identity:
                    self._redrive(message, version)
        for source, records in fetched.chunks:
            self.marks.ended(fetched.ended - {*left})
            if is_inbox(source):
                self._take_inbox(records, version)
            else:
                for record in records:
                    self._judge(source, record, version, forwarded=False)
            left.remove(source)
        self.marks.ended(fetched.ended)
        self.marks.after()

    def _take_inbox(self, records: Sequence[Record], version: str) -> None:
        """What was forwarded comes source by source, and reports after it."""
        messages = [*messages_of(records)]
        for _, message in messages:
            if isinstance(message, LinkMessage):
                tenant, _, device = message.device.rpartition("\x1f")
                user = message.user.rpartition("\x1f")[2]
                link = Linking(tenant or None, device[2:], user[2:], message.at_ms, message.event)
                self._take_link((message.source, message.offset), link)
        items = [(m, r.key) for (_, m), r in zip(messages, records, strict=True) if isinstance(m, Forwarded)]
        for source in dict.fromkeys(item.source for item, _ in items):
            for item, key in items:
                if item.source == source:
                    self._judge(source, item.record(key), version, forwarded=True)
        for offset, message in messages:
            if isinstance(message, WatermarkReport):
                reported = self._reported[offset], message.own_watermark_ms
                self.marks.report(message.partition, reported, message.idle)

    def _take_link(self, origin: Origin, link: Linking) -> None:
        """A link is judged by the partition that owns its device."""
        is_known = self._links.knows(link)
        if link.at < self.marks.own - self._world.allowed_lateness:
            self.account.late_links[origin] = not is_known
        elif not is_known:
            self._links.add(link)

    def _judge(self, source: str, record: Record, version: str, *, forwarded: bool) -> None:
        a, world, origin = self.account, self._world, (source, record.offset)
        allowed_lateness = world.allowed_lateness
        limit_ms = record.time_ms + world.settings.skew
        event = self._reader.read(record.value, record.headers, record.time_ms, limit_ms)
        if isinstance(event, Items):
            assert not event.items, "no collector here sends several events in one record"
            a.counts["no_signal"] += 1
            return
        if not isinstance(event, Event):
            a.rejected.append(origin)
            a.counts["rejected"] += 1
            return
        if not forwarded:
            self.marks.read(source, event.at_ms)
        if said := next((name for name, mark in APART.items() if mark in (record.value or b"")), None):
            a.counts[said] += 1
            return
        if not forwarded and world.identity and (link := link_of(event, key_of(event, world)[0], world)):
            a.linking[origin] = link
            if owner_of(person(link.tenant, f"d:{link.device}"), world.partitions) == self._partition:
                self._take_link(origin, link)
        verdict = CLASSIFIERS[version].classify(event)
        if verdict is None:
            a.counts["no_signal"] += 1
            return
        key = key_of(event, world)
        if (owner := owner_of(person(*key), world.partitions)) != self._partition:
            a.forwarded.append((owner, origin))
            return
        mine = a.signals.setdefault(key, [])
        s, unread = self._signal(event, verdict, version, allowed_lateness)
        at, needs = s.at, s.needs
        oldest = self.marks.own - allowed_lateness
        no_place = _no_place(mine, needs, oldest, world)
        a.spared += oldest <= event.at_ms < self.marks.greatest - allowed_lateness
        if s.update == oracle.OLD_ORDER and origin in self._arrival.unknown:
            a.counts["late"] += 1
            a.late.append(origin)
            return
        # (A user may know an order from what a device gave: `linked` has that, and not this partition.)
        is_whole = not world.identity
        if (
            is_whole
            and s.update == oracle.OLD_ORDER
            and not oracle.knows(mine, needs, s.order, at, patience_of(world))
        ):
            a.unjust.append(origin)
        if at < oldest or origin in self._arrival.over_cap:
            a.counts["late"] += 1
            a.late.append(origin)
            busy = sum(len(s.needs) for s in mine) >= world.cap  # a signal about two needs takes two places
            if is_whole and at >= oldest and not busy and len(no_place) < len(needs):
                a.unjust.append(origin)
            return
        left_out = self._arrival.left_out.get(origin, ())
        s = s._replace(needs=tuple(name for name in needs if name not in left_out))
        applied = take(a, key, mine, s, at - world.finality_delay, at + world.finality_delay)
        a.counts["unread_amounts"] += applied and unread
        a.counts["applied" if applied else "duplicate"] += 1
        a.counts["narrowed"] += bool(left_out)
        if is_whole and left_out != (no_place if applied else ()):
            a.misplaced[origin] = left_out, no_place
        if left_out:
            a.late.append(origin)  # it is in that topic, too

    def _signal(
        self, event: Event, verdict: Verdict, version: str, lateness: int
    ) -> tuple[oracle.Signal, bool]:
        """What an event says, and whether it has an amount that cannot be read. `lateness`: see `dated`."""
        world = self._world
        order = event.properties.get("order_id") if verdict.intent >= oracle.BUY else None
        needs = needs_of(event, world)
        paid = verdict.intent in (oracle.TRUTH, oracle.REFUND)
        money = money_of(event, needs, verdict.intent == oracle.REFUND) if paid else None
        if order and verdict.intent == oracle.REFUND and needs == ("",):
            needs = ("*",)
        at, update = dated(event, lateness) if verdict.update else (event.at_ms, 0)
        s = oracle.Signal(
            at, event.id, verdict.intent, verdict.sure, self._dims_of(event),
            event.utc_offset_quarters, self._bases[version] + verdict.rule, needs,
            order_ref(order).hex() if order else None, update, verdict.cue, money and money.said,
        )  # fmt: skip
        return s, money is not None and money.unread

    def _redrive(self, m: Redriven, version: str) -> None:
        """A redriven item, read by what is in force now."""
        a, world, origin = self.account, self._world, (m.source, m.offset)
        limit_ms = min(m.sent_ms + world.settings.skew, LATEST_MS)
        event = self._reader.read(m.value, m.headers, m.time_ms, limit_ms)
        if isinstance(event, Items):
            self._end(m, "no_signal")
            return
        if not isinstance(event, Event):
            self._end(m, "rejected", event.reason.value)
            return
        if apart := next((name for name, mark in APART.items() if mark in m.value), None):
            self._end(m, apart)
            return
        verdict = CLASSIFIERS[version].classify(event)
        if verdict is None:
            self._end(m, "no_signal")
            return
        key, fate = key_of(event, world), self._fates.get(origin)
        if (owner := owner_of(person(*key), world.partitions)) != self._partition:
            assert not m.is_sent_on, "it came to its owner at once"
            assert fate in (None, owner), "whose it is never changes here"
            self._fates[origin] = owner
            self._end(m, "forwarded", forwarded_to=owner)
            return
        if fate is not None:
            assert fate != m.command, "a command sends an item once"
            self._end(m, "already")
            return
        said = self._arrival.receipts.get((origin, m.command))
        if said is None:
            a.redriven.untrue.append(f"{origin} by {m.command}: there is no receipt")
            return
        s, unread = self._signal(event, verdict, version, LATEST_MS)
        mine = a.signals.setdefault(key, [])
        no_place = _no_place(mine, s.needs, self.time[0] - world.allowed_lateness, world)
        found = a.redriven.judge(key, mine, s, said, self.time, no_place)
        if found.outcome == "late":
            self._end(m, "late", "final")
            return
        self._fates[origin] = m.command
        if found.outcome != "applied":
            self._end(m, found.outcome)
            return
        before = [*found.held]
        mine[:] = found.held
        s = s._replace(needs=tuple(name for name in s.needs if name not in found.left_out))
        delay = world.finality_delay
        take(a, key, mine, s, max(found.known_from, s.at - delay), s.at + delay)
        a.counts["unread_amounts"] += unread
        a.moved[origin, m.command] = Moved(before, [*mine], *self.time)
        self._end(m, "applied", new_person=found.new, left_out=[*found.left_out])

    def _end(self, m: Redriven, outcome: str, reason: str | None = None, **more: Any) -> None:
        """What the receipt must say. The partition from which it is sent on counts nothing."""
        source, offset = split_source(m.source), m.offset
        said = {
            "command": m.command, "letter": m.letter, "topic": source[0], "partition": source[1],
            "offset": offset, "index": 0, "part": 0, "parts": 1, "outcome": outcome, "reason": reason,
            "new_person": False, "left_out": [], "forwarded_to": None,
        }  # fmt: skip
        self.account.receipts[(m.source, offset), m.command] = said | more


FIRST_MS = 946_684_800_000  # the year 2000: no time before it is read


def dated(event: Event, allowed_lateness: int) -> tuple[int, int]:
    """When an update counts, and what it is: the order's time, unless that is long before or not said."""
    if "made" not in event.properties:
        return event.at_ms, oracle.UNTIMED
    made = int(datetime.fromisoformat(event.properties["made"]).timestamp() * 1000 + 0.5)
    if made < FIRST_MS:
        return event.at_ms, oracle.UNTIMED
    made = min(made + 999 if made % 1000 == 0 else made, event.at_ms)
    if made < event.at_ms - allowed_lateness:
        return event.at_ms, oracle.OLD_ORDER
    return made, 0


def _no_place(
    mine: Sequence[oracle.Signal], needs: tuple[str, ...], oldest: int, world: World
) -> tuple[str, ...]:
    """The needs of an event for which its profile has no place."""
    had = {name for s in mine for name in s.needs}
    if needs in (("",), ("*",)) or len(had | {"", *needs}) <= world.needs:
        return ()
    return oracle.left_out(mine, needs, oldest, patience_of(world))


def patience_of(world: World) -> oracle.Patience:
    s = world.settings
    moments = s.patience.know, s.patience.go, s.patience.do, s.patience.buy
    return oracle.Patience(moments, s.abandon_after, s.refund_window, s.join_window, s.purchase_grace)


class Takes(Protocol):
    """What it takes of an account to take an event."""

    taken: dict[Key, list[oracle.Signal]]
    again: Again


def take(
    a: Takes,
    key: Key,
    mine: list[oracle.Signal],
    s: oracle.Signal,
    known_from: int,
    known_to: int = LATEST_MS,
) -> bool:
    """Copies with an event's id between these times are this event, and the smallest stays."""
    for n, kept in sorted(enumerate(mine), key=lambda one: one[1].at):
        if kept.event.partition(AGAIN)[0] == s.event and known_from <= kept.at <= known_to:
            s = s._replace(event=kept.event)
            if oracle.history([kept, s])[0] == kept:
                return False
            mine[n] = s
            a.taken.setdefault(key, []).append(s)
            return True
    times = a.again[key, s.event]
    a.again[key, s.event] += 1
    mine.append(s._replace(event=f"{s.event}{AGAIN}{times}") if times else s)
    a.taken.setdefault(key, []).append(mine[-1])
    return True


def person(tenant: str | None, profile: str) -> bytes:
    """The key of a record about a person."""
    return (profile[2:] if tenant is None else f"{tenant}\x1f{profile[2:]}").encode()


def owner_of(who: bytes, partitions: int) -> int:
    """The partition that Java clients choose for this key."""
    hashed: int = murmur2(who)
    return (hashed & 0x7FFFFFFF) % partitions


def key_of(event: Event, world: World) -> Key:
    tenant = event.properties.get("shop") if world.settings.tenant else None
    return tenant or None, f"u:{event.user_id}" if event.user_id else f"d:{event.anonymous_id}"


CURRENCIES = {"EUR": 2, "JPY": 0}  # and their digits; as oracle.Money numbers them


class ReadMoney(NamedTuple):
    """What an event says of money, and whether it has an amount that cannot be read."""

    said: oracle.Money
    unread: bool


def money_of(event: Event, needs: tuple[str, ...], is_refund: bool) -> ReadMoney | None:
    """By docs/journeys.md, as far as the script writes such things."""
    found = event.properties
    products = found.get("products", ())
    written: list[Any] = [found["total"]] if "total" in found else []
    prices = [Fraction(str(p["price"])) * p["quantity"] if "price" in p else None for p in products]
    if not written and prices and None not in prices:
        written = [sum(p for p in prices if p is not None)]
    if is_refund and written in ([0], [Fraction(0)]):
        written = []
    if not written and not products:
        return None
    currency = found.get("currency")

    def minor(value: Fraction | None) -> int:
        """Halves up."""
        return (
            0
            if value is None or currency is None
            else floor(value * 10 ** CURRENCIES[currency] + Fraction(1, 2))
        )

    amount = None
    if written and written != ["?"] and currency is not None:
        amount = minor(Fraction(str(written[0]).replace(",", ".")))
    pieces = sum(p.get("quantity", 1) for p in products)
    shares: list[tuple[str, int | None, int]] = []
    if len(needs) > 1:
        own = {
            n: sum(minor(v) for v, p in zip(prices, products, strict=True) if p["category"] == n)
            for n in needs
        }
        if amount is not None:
            whole = sum(own.values())
            if whole > amount:
                own = {n: part * amount // whole for n, part in own.items()}
            own[needs[0]] += amount - sum(own.values())
        shares = [
            (
                n,
                None if amount is None else own[n],
                sum(p.get("quantity", 1) for p in products if p["category"] == n),
            )
            for n in needs
        ]
    number = -1 if amount is None or currency is None else [*CURRENCIES].index(currency)
    said = oracle.Money(amount, number, pieces, event.channel == "server", tuple(shares))
    return ReadMoney(said, bool(written) and amount is None)


def needs_of(event: Event, world: World) -> tuple[str, ...]:
    names = (
        {product["category"] for product in event.properties.get("products", ())}
        if world.settings.need
        else set()
    )
    return tuple(sorted(names)) or ("",)
