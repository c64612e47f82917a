"""What the devices of one partition gave to users, as a reading of its input finds it, and what devices of
other partitions gave to its users.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

from streams.core.identity.device import MAX_GIVEN
from streams.core.journeys.origins import EventOrigin
from streams.core.journeys.profile import MAX_LIVE_SIGNALS
from streams.core.journeys.signal import MAX_NEEDS, TIME, Signal, given_ref, without_needs
from streams.core.processing.inbox import GiveMessage, TakeMessage
from streams.core.processing.parameters import IdentityParameters
from streams.core.processing.record_keys import is_device, split_profile_key
from streams.core.processing.rulebook import Rulebook
from streams.core.processing.travelling import TravellingSignal, packed, unpacked, without_place
from streams.queries.device_owners import FoundOwner, find_owners
from streams.queries.event_sets import EventCopy, PersonSets, event_copy
from streams.queries.given_events import Parting, UnmovedEvent, add_unmoved, give_events, withdraw_given
from streams.queries.known_links import EventLink, KnownLinks, UserQuarter
from streams.queries.known_receipts import ReceiptEnding
from streams.queries.published_transitions import DIGEST_BYTES
from streams.queries.slices import Slice
from streams.queries.stored_items import owner_of

BYTES_PER_SENT_LINK = 350  # of a device's first link in a quarter of an hour, where another partition owns it
BYTES_PER_GIVEN = 500  # of an event that came from, or went to, another partition
# What a partition counts as it has to decide early, because of a cap: what is given then stays as it is.
DECIDED_EARLY = ("full", "settled_early")
AT_CAP = ("kept", "over_cap", "narrowed")

_encode = msgspec.msgpack.Encoder().encode


def digest_of_sent(sent: TravellingSignal) -> bytes:
    """What stands for a signal that was sent to another partition."""
    ordered = msgspec.structs.replace(without_place(sent), needs=tuple(sorted(sent.needs)))
    return blake2b(_encode(ordered), digest_size=DIGEST_BYTES).digest()


def digest_of_given(ref: bytes, copy: EventCopy, book: Rulebook) -> bytes:
    """What stands for the signal of an event as it would be sent. `book`: of the partition that holds it."""
    signal = Signal(copy.head, ref, copy.rule, copy.utc_offset_quarters, copy.facts, copy.needs, cue=copy.cue)
    return digest_of_sent(packed(signal, book, []))


class GivenName(msgspec.Struct, frozen=True):
    """Names an event that a device gave to a user of another partition."""

    user: str  # the key of the profile
    device: str  # likewise
    ref: bytes


class Moves:
    """The links and the moves of one slice of the people."""

    def __init__(
        self,
        parameters: IdentityParameters,
        book: Rulebook,
        people: Slice,
        place: tuple[int, int],
        links: KnownLinks,
        counts: Mapping[str, int],
    ) -> None:
        """`place`: the partition, and how many there are. `links`: of its devices, shared by all slices.
        `counts`: what the partition counted of moves.
        """
        self.parameters, self.links, self.lent = parameters, links, PersonSets()
        self._book, self._slice = book, people
        self._partition, self._partitions = place
        # By device of another partition and quarter: the first link that was read here, which was sent there.
        self.sent: dict[str, dict[UserQuarter, tuple[int, str]]] = {}
        self.given: dict[GivenName, list[bytes]] = {}  # to users of other partitions: digests of the signals
        # Users and devices about whose events a cap may have decided.
        self.unsure: set[str] = set()
        self.owners: dict[str, FoundOwner] = {}  # whose the devices of the slice are, once all was read
        # Devices of which an event that was decided by a link counts no more, or not at that time.
        self.doubtful: set[str] = set()
        self._received: dict[str, dict[EventOrigin, list[Signal]]] = {}  # by user of this partition
        # In the order of reading: a life has what was redriven to it.
        self._redriven: list[UnmovedEvent | Parting] = []
        self._count = 0  # events that came from other partitions
        self._decides_early = any(counts.get(name) for name in DECIDED_EARLY)
        self._is_at_cap = any(counts.get(name) for name in AT_CAP)
        # What came from behind the settled mark was refused or stayed: which moves did is not known.
        refused = (("settled", GiveMessage), ("kept", TakeMessage))
        self._refused = [of for name, of in refused if counts.get(name)]
        # Signals that anybody had at any time, and the needs that these name, if somebody was over the cap.
        self._ever: Counter[str] = Counter()
        self._needs: dict[str, set[str]] = {}

    @property
    def size_bytes(self) -> int:
        """About how much memory they take."""
        sent = sum(map(len, self.sent.values()))
        size = self.lent.size_bytes + sent * BYTES_PER_SENT_LINK + self._count * BYTES_PER_GIVEN
        return size if self._slice.of > 1 else size + self.links.size_bytes

    def is_lent(self, device: str) -> bool:
        """True if a device had a user of the slice, and is not in it."""
        return any(map(self._slice.has, self.links.users_of(device)))

    def note_sent(self, link: EventLink) -> None:
        """Takes note of a link that was read here, of a device that another partition owns."""
        if not self._slice.has(link.device):
            return
        first, name = self.sent.setdefault(link.device, {}), (link.user, link.quarter)
        known, found = first.get(name), (link.at_ms, link.event)
        if known is None or found < known:
            first[name] = found

    def receive(self, move: GiveMessage | TakeMessage, ending: ReceiptEnding | None = None) -> None:
        """Takes what a device of another partition gave to a user of this one, or took back.

        `ending`: how it ended, if it is a redriven item.
        """
        if not self._slice.has(move.user):
            return
        if type(move) in self._refused:
            self.unsure.add(move.user)
        held, device = self._received.setdefault(move.user, {}), split_profile_key(move.device)[1][2:]
        if isinstance(move, TakeMessage):
            for ref in move.refs:
                signals = held.get(EventOrigin(device, ref))
                if signals:
                    signals.pop()
            return
        for sent in move.signals:
            signals, signal = (
                held.setdefault(EventOrigin(device, sent.ref), []),
                unpacked(without_place(sent), self._book, []),
            )
            if move.redriven is not None:
                if ending is None or ending.outcome != "applied":
                    continue
                if ending.is_parted:
                    self._redriven.append(Parting(move.user, sent.head >> TIME, ending.held_from_ms))
                signal = without_needs(signal, ending.left_out)
                if signal in signals:  # it was given once more
                    continue
            signals.append(signal)
            self._note((move.user,), sent.needs)
            self._count += 1

    def _note(self, people: Iterable[str], needs: tuple[str, ...]) -> None:
        for key in people if self._is_at_cap else ():
            self._ever[key] += len(needs)
            self._needs.setdefault(key, set()).update(needs)

    def note_redriven(self, event: UnmovedEvent | Parting) -> None:
        """Takes note of a redriven event that no link moves, or of one of a device by which the earlier
        events of whoever has it were not held any more.
        """
        self._redriven.append(event)
        if isinstance(event, UnmovedEvent):
            self._note((event.key,), event.signal.needs)

    def finish(self, sets: PersonSets) -> None:
        """All was read: gives each event of a device to the user who had it. `sets`: of the slice."""
        self.links.close()
        self._find_unsure(sets)
        self.owners = find_owners(sets, self.links)
        self.doubtful |= sets.replaced
        given = [*withdraw_given(sets, self.links), *withdraw_given(self.lent, self.links)]
        give_events(sets, given, self._is_here)
        for one in given:
            if self._slice.has(one.device) and self._is_elsewhere(one.user):
                name = GivenName(one.user, one.device, one.ref)
                self.given.setdefault(name, []).append(digest_of_given(one.ref, one.copy, self._book))
        for user, held in self._received.items():
            for origin, signals in held.items():
                for signal in signals:
                    sets.give(user, given_ref(origin.device, origin.ref), event_copy(signal), origin)
        for event in self._redriven:
            if isinstance(event, UnmovedEvent):
                add_unmoved(sets, [event])
                continue
            whose = self.links.user_at(event.key, event.at_ms) or event.key
            if self._is_here(whose):
                sets.part(whose, event.held_from_ms)

    def _find_unsure(self, sets: PersonSets) -> None:
        """Notes of whom a cap may have decided whose events are."""
        if not self._decides_early and not self._is_at_cap:
            return
        for held in (sets, self.lent):
            for key, histories in held.people.items():
                copies = [copy for events in histories for copy in events.values()]
                users = self.links.users_of(key) if is_device(key) else set[str]()
                if users and (len(copies) > MAX_GIVEN or self.links.may_be_full(key)):
                    self.unsure |= {key, *users}
                for copy in copies:
                    self._note((key, *users), copy.needs)
        self.unsure.update(key for key, count in self._ever.items() if count > MAX_LIVE_SIGNALS)
        self.unsure.update(key for key, needs in self._needs.items() if len(needs) > MAX_NEEDS)

    def _is_here(self, user: str) -> bool:
        return self._slice.has(user) and not self._is_elsewhere(user)

    def _is_elsewhere(self, user: str) -> bool:
        return self._partitions > 1 and owner_of(user, self._partitions) != self._partition
