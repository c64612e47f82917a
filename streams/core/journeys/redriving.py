"""Takes a redriven event into its profile: one of a dead letter, which may be older than what is late."""

import msgspec

from streams.core.journeys.finality import BEFORE_ALL_MS, bounds_of, final_times, is_behind_final
from streams.core.journeys.folding import APPLIED, DUPLICATE, FINAL, OVER_CAP, is_copy
from streams.core.journeys.journal import find_event, time_at
from streams.core.journeys.moving import Moved, give_signals
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.population import Population
from streams.core.journeys.profile import Profile, Redriving, folded_journal
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
    given_to: str | None = None  # the profile of the user to whom a device gave it: there it ends


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
        held_from_ms = _held_from_ms(p, held_from_ms)
    copies = population.copies(signal)
    if is_copy(p, signal, copies):
        return RedrivenEvent(DUPLICATE)
    if is_behind_final(p, signal, copies, final_ms, time, population.patience):
        return RedrivenEvent(FINAL)
    if signal.head >> TIME < time.oldest_ms:
        # Set before it is taken: whoever is over the cap is trimmed then.
        p.redriving = Redriving(population.watermark_ms, final_ms)
    is_parted = not p.base_end
    outcome = population.take(key, signal, source)
    if outcome in (DUPLICATE, OVER_CAP):
        p.redriving = before
        return RedrivenEvent(DUPLICATE if outcome == DUPLICATE else FINAL)
    return RedrivenEvent(outcome, is_new, held_from_ms, is_parted)


def take_given(population: Population, key: str, device: str, signal: Signal) -> tuple[RedrivenEvent, Moved]:
    """Takes a redriven event that a device gives to a user. It is not older than what a link may move."""
    p, oldest_ms = population.profiles.get(key), population.bounds.oldest_ms
    is_new, is_parted = p is None, p is None or not p.base_end
    held_from_ms = oldest_ms if p is None else _held_from_ms(p, oldest_ms)
    moved = give_signals(population, key, device, [signal], None)
    outcome: int | LeftOut = APPLIED
    if moved.over_cap:
        return RedrivenEvent(FINAL, given_to=key), Moved()
    if moved.inconsistent:
        return RedrivenEvent(DUPLICATE, given_to=key), Moved()
    if moved.left_out:
        ((_, outcome),) = moved.left_out
    return RedrivenEvent(outcome, is_new, held_from_ms, is_parted, key), moved


def holds_before(p: Profile, ref: bytes, oldest_ms: int) -> bool:
    """True if the profile holds an event of this id that is older than this."""
    whole = folded_journal(p) + p.journal
    twin = find_event(whole, ref)
    return twin >= 0 and time_at(whole, twin) < oldest_ms


def _held_from_ms(p: Profile, oldest_ms: int) -> int:
    """From when on the events of a profile are held one by one."""
    # (Whoever was forgotten had no event since `oldest_ms`; what is yet to come is not older.)
    whole = folded_journal(p) + p.journal
    return min(time_at(whole, 0), oldest_ms) if whole else oldest_ms
