"""How far time goes at the end of a finite input: docs/journeys.md (Time).

One device whose clock is ahead must not fire everybody's timers. So time goes as far as the third-latest of
the people: of each the time of the newest event counts. Where there are few people, each of them counts.
"""

from streams.core.ingest.event import Event
from streams.core.processing.owners import profile_reader
from streams.core.processing.watermark import UNKNOWN_MS

# Two people whose clocks are wrong in one input are rare, three are more so; and the time that is lost is
# that between the newest events of an input.
RANK = 3
FEW_PEOPLE = 20  # of fewer people each one is a part of what is looked at, often a test


class EndOfInput:
    """Takes note of the events of a finite input, in any order, and says where time ends."""

    def __init__(self, tenant: str | None) -> None:
        """`tenant`: the path to an event's tenant; None: there are no tenants."""
        self._profile_of = profile_reader(tenant)
        self._people: set[str] = set()  # the first FEW_PEOPLE
        self._latest: dict[str, int] = {}  # of the RANK latest people, each with the newest time
        self._least_ms, self._greatest_ms = UNKNOWN_MS, UNKNOWN_MS  # of those

    def note(self, event: Event) -> None:
        """Takes note of an event."""
        at_ms = event.at_ms
        is_few = len(self._people) < FEW_PEOPLE
        if at_ms <= self._least_ms and not is_few:
            return
        person = self._profile_of(event)
        if is_few:
            self._people.add(person)
        if at_ms > self._greatest_ms:
            self._greatest_ms = at_ms
        latest = self._latest
        if at_ms > latest.get(person, self._least_ms):
            latest[person] = at_ms
            if len(latest) > RANK:
                del latest[min(latest, key=latest.__getitem__)]
            if len(latest) == RANK:
                self._least_ms = min(latest.values())

    @property
    def at_ms(self) -> int:
        """How far time goes, in milliseconds since 1970 UTC; -1 if there was no event."""
        return self._greatest_ms if len(self._people) < FEW_PEOPLE else self._least_ms
