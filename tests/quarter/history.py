"""What the oracle makes of the quarter: it reads the same records, one after the other, and knows of no
partition.

Taken over from the product are the readers without memory: bytes to an event, an event to a verdict, and
dimensions.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from streams.core.funnels.dimensions import Dimensions
from streams.core.ingest.event import Event
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.signal import order_ref
from streams.core.moments.classifier import Classifier
from streams.core.moments.rules import Rules
from streams.core.moments.verdict import Verdict
from tests import identity_oracle, oracle
from tests.identity_oracle import Link
from tests.simulation.account import CURRENCIES, money_of
from tests.simulation.laws import expired
from tests.simulation.wire import cohort_cells, cue_cells, revenue_cells, step_cells

ON, OFF = identity_oracle.Settings(), identity_oracle.Settings(on=False)
Timer = Callable[[str], int]
"""The time up to which timers have fired for a profile."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(oracle.Signal).decode


class History:
    """Everybody's events, without those that are too late."""

    def __init__(self, reader: RecordReader, rules: Rules, dimensions: Dimensions) -> None:
        self._read, self._classify = reader.read, Classifier(rules).classify
        self._dimensions = dimensions
        self.people: defaultdict[str, list[bytes]] = defaultdict(list)  # signals of profiles of users
        self.devices: defaultdict[str, list[bytes]] = defaultdict(list)  # of events that name a device alone
        self.links: defaultdict[str, set[Link]] = defaultdict(set)  # by device

    def take(self, value: bytes, oldest_ms: int) -> None:
        """Reads one record. What is older than `oldest_ms` is late."""
        event = self._read(value, (), -1, LATEST_MS)
        if not isinstance(event, Event) or event.at_ms < oldest_ms:
            return
        if event.user_id is not None and event.anonymous_id is not None:
            self.links[event.anonymous_id].add(Link(event.at_ms, event.user_id, event.id))
        verdict = self._classify(event)
        if verdict is not None:
            mine = self.devices if event.user_id is None else self.people
            mine[event.user_id or event.anonymous_id or ""].append(_encode(self._signal(event, verdict)))

    def _signal(self, event: Event, verdict: Verdict) -> oracle.Signal:
        order = event.properties.get("order_id") if verdict.intent >= oracle.BUY else None
        is_refund = verdict.intent == oracle.REFUND
        paid = money_of(event, ("",), is_refund) if verdict.intent in (oracle.TRUTH, oracle.REFUND) else None
        return oracle.Signal(
            event.at_ms,
            event.id,
            verdict.intent,
            verdict.sure,
            self._dimensions.code(event),
            event.utc_offset_quarters,
            verdict.rule,
            ("*",) if order and is_refund else ("",),
            order_ref(order).hex() if order else None,
            0,
            verdict.cue,
            paid and paid.said,
        )

    def profiles(self, settings: identity_oracle.Settings) -> Iterator[tuple[str, list[oracle.Signal]]]:
        """Each profile with its signals, by the names that they have there."""
        given: defaultdict[str, list[oracle.Signal]] = defaultdict(list)  # by user
        for device, stored in self.devices.items():
            links = first_links(self.links.get(device, ())) if settings.on else []
            own = []
            for s in oracle.history([_decode(raw) for raw in set(stored)]):
                user = identity_oracle.user_at(links, s.at, settings)
                if user is None:
                    own.append(s)
                else:
                    given[user].append(s._replace(event=identity_oracle.given_name(device, s.event)))
            if own:
                yield f"d:{device}", own
        for user in {**self.people, **given}:
            yield f"u:{user}", [_decode(raw) for raw in set(self.people.get(user, ()))] + given[user]

    def counters(self, settings: identity_oracle.Settings, timer: Timer, mark_ms: int) -> Counter[Any]:
        """The count of every cell of a window that is kept when the settled mark is `mark_ms`."""
        names, codes = self._dimensions.names, [*CURRENCIES]
        counted: Counter[Any] = Counter()
        for profile, signals in self.profiles(settings):
            fired_ms = timer(profile)
            steps = oracle.transitions(signals, fired_ms)
            unmatched, cues = oracle.unmatched(signals, fired_ms), oracle.cues(signals)
            _count(counted, (cell for s in steps for cell in step_cells(s, names)), mark_ms)
            _count(counted, (cell for u in unmatched for cell in step_cells(u, names)), mark_ms)
            _count(
                counted,
                (cell for j in oracle.journeys(signals, fired_ms) for cell in cohort_cells(j, names)),
                mark_ms,
            )
            _count(counted, (cell for c in cues for cell in cue_cells(c, names)), mark_ms)
            for s in steps:
                for cell, amount in revenue_cells(s, names, codes):
                    if not expired(cell, mark_ms):
                        counted[cell] += amount
        return counted


def first_links(links: Iterable[Link]) -> list[Link]:
    """The links of one device that count, as the oracle chooses them."""
    events = [identity_oracle.Event(at, id, user, "it", None) for at, user, id in links]
    return identity_oracle.links_of(events, "", "it", ON)


def _count(counted: Counter[Any], cells: Iterable[Any], mark_ms: int) -> None:
    counted.update(cell for cell in cells if not expired(cell, mark_ms))
