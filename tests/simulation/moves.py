"""What must be true of links and of what they move: the laws of days with identity on, beside the others."""

from collections.abc import Callable, Iterator
from typing import Any

from streams.core.journeys.profile import folded_journal
from streams.core.journeys.signal import RECORD, TIME, event_ref, given_ref
from streams.core.processing.processor import Processor
from streams.core.processing.record_keys import split_profile_key
from tests.identity_oracle import QUARTER
from tests.simulation.account import owner_of, person
from tests.simulation.laws import Evidence
from tests.simulation.linked import Moves, Told, device_of
from tests.simulation.redrives import Key
from tests.simulation.wire import sent

NOTHING_TOLD = Told({}, {}, {})


def moves_of(processor: Processor, told: Told, *, lawful: bool) -> Moves:
    """What a partition has come to, as it would begin anew. `told`: whose everything is, if that is sure."""
    held: dict[Key, set[tuple[int, bytes]]] = {}
    for p in processor.population.profiles:
        records = RECORD.iter_unpack(folded_journal(p) + p.journal)
        held[split_profile_key(p.key)] = {(head >> TIME, ref) for head, ref, *_ in records}
    given: dict[tuple[Key, bytes], str] = {}
    if processor.connector is not None:
        for device in processor.connector.devices._devices.values():
            key = split_profile_key(device.key)
            given |= {(key, ref): split_profile_key(e.user)[1] for ref, e in (device.given or {}).items()}
    counts = processor.checkpoint.counts.moves
    return Moves(told, held, given, counts, processor.population.settled_mark_ms, lawful)


def linked(e: Evidence) -> Iterator[str]:
    """Every event that is a link is known to whoever owns its device, or one of its user and quarter of an
    hour is that is not later; and no other is.
    """
    number, partitions = e.place
    first: dict[Any, tuple[int, str]] = {}
    for owner, m in e.sent.links:
        if m.is_redriven:
            continue
        link = e.account.linking.get((m.source, m.offset))
        if link is None or (m.at_ms, m.event) != (link.at, link.event):
            yield f"{m} was sent, and {link} was read there"
            return
        place = owner, link.tenant, link.device, link.user, link.at // QUARTER
        first[place] = min(first.get(place, (link.at, link.event)), (link.at, link.event))
    for origin, link in e.account.linking.items():
        owner = owner_of(person(link.tenant, f"d:{link.device}"), partitions)
        sent_first = first.get((owner, link.tenant, link.device, link.user, link.at // QUARTER))
        if owner != number and (sent_first is None or sent_first > (link.at, link.event)):
            yield f"{origin}: {link} was not sent to partition {owner}, but {sent_first}"


def moved(e: Evidence) -> Iterator[str]:
    """Every take finds what it takes, and every give finds room; links that are late are counted."""
    assert e.moves is not None
    counts, late = e.moves.counts, e.account.late_links
    wrong = ("inconsistent", "kept", "over_cap", "narrowed") if e.moves.lawful else ("inconsistent",)
    # (What a crowded user has refused is taken from them like anything else.)
    if any(counts.get(name) for name in wrong) and (e.moves.lawful or not counts.get("over_cap")):
        yield f"{dict(counts)}: of these there must be none: {', '.join(wrong)}"
    # What says nothing is not late, as long as it is known what it repeats: a redriven link, perhaps.
    least = 0 if e.topics["redriven"] else sum(late.values())
    if not least <= counts.get("late_links", 0) <= len(late):
        yield f"{counts.get('late_links', 0)} late links, and {late} by the stored input"


def places(e: Evidence) -> Iterator[str]:
    """Once all is settled, each event is held by the one profile that it belongs to; and each device knows
    whom it has given what.
    """
    assert e.moves is not None
    number, partitions = e.place
    moves, open_from = e.moves, e.moves.settled - e.finality_delay
    for key in {*moves.held, *e.account.signals}:
        held, true = moves.held.get(key, set()), {
            (s.at, _ref(s.event)): s for s in e.account.signals.get(key, ())
        }  # fmt: skip
        if foreign := held - true.keys():
            yield f"{key} holds {foreign}, which is not theirs"
        if missing := [s for place, s in true.items() if s.at >= open_from and place not in held]:
            yield f"{key} does not hold {missing}"
    true_users: dict[tuple[Key, bytes], set[str]] = {}  # an id that was forgotten may be another event's
    for (device, event), user in moves.told.users.items():
        if owner_of(person(*device), partitions) == number:
            true_users.setdefault((device, event_ref(sent(event))), set()).add(f"u:{user}")
    for place, user in moves.given.items():
        if user not in true_users.get(place, ()):
            yield f"{place} was given to {user}, and belongs to {true_users.get(place)}"


def settled(e: Evidence) -> Iterator[str]:
    """The settled mark is the least watermark that was reported; once there is nothing left to do, it is the
    watermark everywhere.
    """
    assert e.moves is not None
    true = e.mark if e.everything else e.account.settled
    if e.moves.settled != true:
        yield f"the settled mark is {e.moves.settled}, and must be {true}"


def _ref(event: str) -> bytes:
    """What stands for an event in a journal, by the name that `linked` gives it."""
    ref, device = event_ref(sent(event)), device_of(event)
    return ref if device is None else given_ref(device, ref)


MOVE_LAWS: tuple[Callable[[Evidence], Iterator[str]], ...] = (linked, moved, places, settled)
