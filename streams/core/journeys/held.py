"""What memory holds of a profile's history: the steps of its live journal. Of older ones, which lie in the
base, only the outcome is left.
"""

from collections.abc import Iterable

from streams.core.journeys.folding import replay, states_of_base
from streams.core.journeys.journal import find_event, first_from
from streams.core.journeys.journey_step import CUE, UNMATCHED, WITHDRAWN, JourneyStep, net_steps
from streams.core.journeys.profile import Profile, folded_journal
from streams.core.journeys.signal import NO_PLACE, PLACE_AT, SIZE
from streams.core.journeys.state import Patience

_NO_TRANSITIONS = (*UNMATCHED, WITHDRAWN, CUE)


def held_steps(p: Profile, timers_fired_ms: int, patience: Patience) -> list[JourneyStep]:
    """The net transitions of a profile, in order, as far as its live journal goes back.

    They are computed by the law of all that is published (`folding.fold`), so they are what was published.
    """
    steps: list[JourneyStep] = []
    replay(states_of_base(p), p.journal, p.facts, patience, steps, timers_fired_ms)
    return [t for t in net_steps(steps) if t.kind not in _NO_TRANSITIONS]


def places_of_steps(p: Profile, steps: Iterable[JourneyStep]) -> list[bytes]:
    """Where the event of each step was read. NO_PLACE: no event caused it, or its signal is not held."""
    journal = folded_journal(p) + p.journal
    return [place_of_step(journal, t) for t in steps]


def place_of_step(journal: bytes, t: JourneyStep) -> bytes:
    """Where the event of a step was read. NO_PLACE: no event caused it, or it is not in this journal."""
    first = find_event(journal, t.caused_by, first_from(journal, t.at_ms)) if t.rule >= 0 else -1
    at = first * SIZE
    return journal[at + PLACE_AT : at + SIZE] if first >= 0 else NO_PLACE


def holds_all_steps(p: Profile) -> bool:
    """False if steps of the profile lie in its base, and so are not among the `held_steps`."""
    return not p.released and not any(s.journey for s in p.base or ())
