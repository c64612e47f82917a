"""The latest moves of journeys, as they hold: what was taken back is gone."""

from collections.abc import Sequence

import msgspec

from schemas import Transition
from streams.topology import TRANSITIONS

LATEST_MOVES = 50  # that are kept of each partition: more than a page shows

_ASSERTED = b'"op":"assert"'
_decode = msgspec.json.Decoder(Transition).decode


class LatestMoves:
    """The latest steps of each partition, in the order in which they were published.

    A step that was made long ago and published now, since its event came late, is no news: the steps are
    those with the latest times among the last that came.
    """

    topics: Sequence[str] = (TRANSITIONS.name,)

    def __init__(self) -> None:
        self._held: dict[str, Transition] = {}  # by id: the latest ones of all partitions

    def apply(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Takes a record in; those of other topics are passed over."""
        if topic != TRANSITIONS.name or value is None:
            return
        step = _decode(value)
        if step.op == "retract":
            self._held.pop(step.id, None)
            return
        self._held[step.id] = step
        if len(self._held) > 2 * LATEST_MOVES:
            self._held = {step.id: step for step in self._newest_last()[-LATEST_MOVES:]}

    def read_anew(self, topic: str, partition: int) -> None:
        """Some records are gone by age. What was met stays: only newer steps push it out."""

    def at_end(self, topic: str, partition: int) -> None:
        """Nothing waits for the end."""

    def latest(self, limit: int = LATEST_MOVES) -> list[Transition]:
        """At most so many steps, the newest first."""
        return self._newest_last()[::-1][:limit]

    def _newest_last(self) -> list[Transition]:
        return sorted(self._held.values(), key=lambda step: (step.at, step.id))
