"""Publishes cues: what happened inside the moments of journeys."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from streams.core.funnels.cells import count_cue
from streams.core.journeys.journey_step import JourneyStep
from streams.core.journeys.profile import Profile
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.publisher import Publisher
from streams.records import Headers, Output
from streams.topology import CUES


class CueChange(NamedTuple):
    """A cue that holds from now on, or no longer."""

    profile: Profile
    key: bytes  # of the records about the person
    op: Literal["assert", "retract"]
    step: JourneyStep
    headers: Headers
    moved_from: str | None = None  # the other profile, if the event has moved


def publish_cues(
    changes: Iterable[CueChange], publisher: Publisher, checkpoint: Checkpoint, delta: dict[int, int]
) -> list[Output]:
    """Counts cues in `delta`. Returns the records of those that are matched with a journey."""
    outputs: list[Output] = []
    for p, key, op, t, headers, moved_from in changes:
        count_cue(t, 1 if op == "assert" else -1, delta)
        if t.journey:
            checkpoint.cues += 1
            outputs.append(
                Output(CUES.name, key, publisher.cue(p, op, checkpoint.cues, t, moved_from), headers)
            )
    return outputs
