"""Takes a redriven event into its profile: one of a dead letter, which may be older than what is late."""

import msgspec

from streams.core.journeys.finality import BEFORE_ALL_MS, bounds_of, final_times, is_behind_final
from streams.core.journeys.folding import DUPLICATE, FINAL, OVER_CAP, is_copy
from streams.core.journeys.journal import time_at
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.population import Population
from streams.core.journeys.profile import Redriving, folded_journal
from streams.core.journeys.signal import TIME, Signal
from streams.core.journeys.trimming import closings
from streams.records import Record


class RedrivenEvent(msgspec.Struct, frozen=True, gc=False):
    """How a redriven event ended."""

    outcome: int | LeftOut  # APPLIED, DUPLICATE or FINAL; LeftOut: applied, but not in these needs
    is_new: bool = False  # nothing was held of its person, who counts as new
    # Events of the person that are dated before this are not known any more one by one (if there are any).
    held_from_ms: int = BEFORE_ALL_MS
    is_parted: bool = False  # and it is read without them; else they are in the base, where nothing is lost


def redrive_event(
    population: Population, key: str, signal: Signal, source: Record | None = None
) -> RedrivenEvent:
    """Takes an event out of a dead letter, however old it is, unless it would change what is final.

    Call it where everything that time has made due was done: nothing else of the open batch was taken.
    """
    p, time = population.profiles.get(key), population.bounds
    is_new, held_from_ms = p is None, time.oldest_ms
    if p is None:
        p = population.begin(key, signal)
    before = p.redriving
    if bounds_of(p, time) is time:
        population.trim_profile(p)  # so what is in the base depends on time alone, not on when it was tidied
        done, _ = closings(p, time, population.patience)
        final_ms = final_times(p, done, time, population.patience)
    else:
        assert before is not None
        final_ms = before.final_ms
    if not is_new:
        # (Whoever was forgotten had no event since `oldest_ms`; what is yet to come is not older.)
        held_from_ms = min(time_at(folded_journal(p) + p.journal, 0), held_from_ms)
    if is_copy(p, signal):
        return RedrivenEvent(DUPLICATE)
    if is_behind_final(p, signal, final_ms, time, population.patience):
        return RedrivenEvent(FINAL)
    if signal.head >> TIME < time.oldest_ms:
        # Set before it is taken: whoever is over the cap is trimmed then.
        p.redriving = Redriving(population.watermark_ms, final_ms)
    is_parted = not p.base_end
    outcome = population.take(key, signal, source, is_redriven=True)
    if outcome in (DUPLICATE, OVER_CAP):
        p.redriving = before
        return RedrivenEvent(DUPLICATE if outcome == DUPLICATE else FINAL)
    return RedrivenEvent(outcome, is_new, held_from_ms, is_parted)
