"""Brings a person's devices together: links are sent to whoever owns their device, and events to whoever owns
the user to whom they belong. `streams/core/identity` decides; here messages come and go.

    note_link, take_event, take_links, take_moves  ->  finish  ->  housekeep, device_parts

What is late on this way, or finds no room, has a dead letter in canonical form.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from streams.core.identity.device import DevicePart, ShownAs
from streams.core.identity.devices import LINK_LATE, Devices
from streams.core.identity.links import LINK_QUARTER_MS, Link
from streams.core.identity.moves import Give, Take
from streams.core.identity.redriving import given_again, redrive_device_event
from streams.core.ingest.event import Event, lookup
from streams.core.ingest.partition import partition_of
from streams.core.journeys.folding import APPLIED, DUPLICATE, FINAL
from streams.core.journeys.journal import time_at
from streams.core.journeys.moving import give_signals, take_signals
from streams.core.journeys.population import Population
from streams.core.journeys.redriving import RedrivenEvent, take_given
from streams.core.journeys.signal import REF_AT, TIME, Signal, event_ref, given_ref
from streams.core.processing.canonical import DeviceEvent
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.committed import DeviceFigures
from streams.core.processing.dead_letters import LATE_LINK, read_at
from streams.core.processing.inbox import (
    GiveMessage,
    LinkMessage,
    MoveMessage,
    Redriven,
    TakeMessage,
    encode_message,
)
from streams.core.processing.move_letters import LATE_LINK_WORD, count_moved, write_letter, write_letters
from streams.core.processing.open_batch import OpenBatch
from streams.core.processing.parameters import IdentityParameters, Parameters
from streams.core.processing.publisher import Publisher
from streams.core.processing.record_keys import person_key, split_profile_key
from streams.core.processing.rulebook import Rulebook
from streams.core.processing.travelling import packed, unpacked
from streams.core.processing.watermark import UNKNOWN_MS, WatermarkTracker
from streams.records import Output, Record
from streams.topology import INBOX

# Links that are remembered as sent, so that not each event of a visit is sent: about 20 MB. It is no state:
# a link that is sent twice changes nothing.
MAX_SENT_LINKS = 65_536
# What is false where a field says that its event is no link (`identity.ignore`).
NOT_TRUE = (None, False, 0, "", "0", "no", "false")


class LinkingPartition(Protocol):
    """What it takes of a partition to bring devices together. A Processor has it."""

    partition: int
    tracker: WatermarkTracker
    checkpoint: Checkpoint
    population: Population
    rulebook: Rulebook
    publisher: Publisher
    parameters: Parameters
    open: OpenBatch

    def publish(self) -> None:
        """Publishes what has changed since the last call."""


class Connector:
    """The links and moves of one partition."""

    def __init__(self, parameters: IdentityParameters, population: Population) -> None:
        self.parameters = parameters
        self.devices = Devices(population, parameters.spans)
        population.settled_limit_ms = UNKNOWN_MS  # nothing is settled within the first batch either
        self.take_event = self.devices.take_event
        self._most_devices = 0  # that gave events to one user, since the start
        # (device, user) -> the quarter of an hour, and the first link of it that was sent.
        self._sent: dict[tuple[str, str], tuple[int, int, str]] = {}

    def note_link(
        self,
        partition: LinkingPartition,
        event: Event,
        user: str,
        place: tuple[str, Record],
        *,
        is_redriven: bool = False,
    ) -> None:
        """Takes or sends the link of an event that carries a user and a device, unless it makes none.

        `user`: the key of the profile. `place`: where the event was read. `is_redriven`: nobody waits for it.
        """
        device = device_key(event, user)
        sent, quarter = self._sent.get((device, user)), event.at_ms // LINK_QUARTER_MS
        if (
            sent is not None
            and sent[0] == quarter
            and (sent[1] < event.at_ms or sent[1:] == (event.at_ms, event.id))
        ):
            return
        if (why := unlinked_reason(event, self.parameters)) is not None:
            count_moved(partition, why, 1)
            return
        source, record = place
        link = LinkMessage(
            device=device,
            user=user,
            at_ms=event.at_ms,
            event=event.id,
            source=source,
            offset=record.offset,
            index=record.index,
            is_redriven=is_redriven,
        )
        owner = partition_of(person_key(device), partition.tracker.partitions)
        if owner != partition.partition:
            message = encode_message(link)
            partition.open.send(Output(INBOX.name, person_key(device), message, (), owner))
            certain = not is_redriven and partition.tracker.is_waited_for(
                owner, event.at_ms, partition.population.finality
            )
        else:
            certain = self._take_link(partition, link)
        if certain:
            if len(self._sent) >= MAX_SENT_LINKS:
                self._sent.clear()
            self._sent[device, user] = quarter, event.at_ms, event.id

    def redriven_link(
        self, partition: LinkingPartition, event: Event, user: str, place: tuple[str, Record]
    ) -> bool:
        """Takes or sends the link of a redriven event, if it is one and not late. True: it was."""
        population = partition.population
        oldest_ms = population.watermark_ms - population.finality.allowed_lateness_ms
        if event.user_id is None or event.anonymous_id is None or event.at_ms < oldest_ms:
            return False
        self.note_link(partition, event, user, place, is_redriven=True)
        return makes_link(event, self.parameters)

    def take_links(self, partition: LinkingPartition, links: Iterable[LinkMessage]) -> None:
        """Takes links that other partitions read."""
        for link in links:
            self._take_link(partition, link)

    def _take_link(self, partition: LinkingPartition, link: LinkMessage) -> bool:
        """False: it is late."""
        ref, full = event_ref(link.event), self.devices.counts.full
        outcome = self.devices.take_link(link.device, Link(link.at_ms, link.user, ref))
        count_moved(partition, "full", self.devices.counts.full - full)
        if outcome == LINK_LATE:
            count_moved(partition, LATE_LINK_WORD, 1)
            late = DeviceEvent(link.device, link.user, ref, link.at_ms, None)
            where = read_at(link.source, link.offset, link.index)
            write_letter(partition, late, link.device, LATE_LINK, where)
        return outcome != LINK_LATE

    def take_moves(
        self, partition: LinkingPartition, moves: Iterable[MoveMessage]
    ) -> Iterator[tuple[Redriven, RedrivenEvent]]:
        """Applies what devices of other partitions have given to users of this one, and taken back.

        Yields each redriven item among it, with how it ended; what changed before it is published by then.
        """
        for move in moves:
            if isinstance(move, TakeMessage):
                self._apply(partition, Take(move.user, move.device, move.events))
                continue
            versions = len(partition.rulebook.versions)
            sources = partition.checkpoint.read_from
            signals = tuple([unpacked(sent, partition.rulebook, sources) for sent in move.signals])
            if len(partition.rulebook.versions) > versions:
                partition.publisher.rules_changed()
            give = Give(move.user, move.device, signals, move.is_new)
            if move.redriven is None:
                self._apply(partition, give)
            else:
                partition.publish()
                yield move.redriven, self._take_redriven(partition, give)

    def redrive(
        self, partition: LinkingPartition, event: tuple[str, Signal, Record], message: Redriven
    ) -> RedrivenEvent | int:
        """Takes a redriven event of a device, which goes to whom the links say. What was taken before it must
        be published.

        `event`: the key of the device's profile, the signal, and the item. Returns how it ended, or the
        partition that owns its user and will say so.
        """
        key, signal, item = event
        self._send_moves(partition)  # what redriven links have moved
        taken = RedrivenEvent(APPLIED)
        give = given_again(self.devices, key, signal)
        if give is None:
            taken = redrive_device_event(self.devices, key, signal, item)
            settled_early = self.devices.counts.settled_early
            self.devices.decide()
            count_moved(partition, "settled_early", self.devices.counts.settled_early - settled_early)
            moves, self.devices.moves = self.devices.moves, []
            for move in moves:
                if isinstance(move, Give) and move.user == taken.given_to:
                    give = move
                else:
                    self._send(partition, move)
        if give is None:
            return taken
        owner = partition_of(person_key(give.user), partition.tracker.partitions)
        if owner == partition.partition:
            return self._take_redriven(partition, give)
        message = msgspec.structs.replace(message, value=b"")  # the signal says it all
        self._send(partition, give, message)
        return owner

    def _take_redriven(self, partition: LinkingPartition, give: Give) -> RedrivenEvent:
        (signal,) = give.signals
        device = split_profile_key(give.device)[1][2:]
        taken, moved = take_given(partition.population, give.user, device, signal)
        count_moved(partition, "given", moved.applied)
        if taken.outcome not in (FINAL, DUPLICATE):
            partition.checkpoint.counts.unread_amounts += signal.has_unread_amount
        return taken

    def finish(self, partition: LinkingPartition) -> None:
        """Decides whose events are, now that all links of the batch are in, and sends what moves.

        Call it before time passes. The settled mark follows the watermark behind it.
        """
        self._send_moves(partition)
        self.settle(partition)

    def _send_moves(self, partition: LinkingPartition) -> None:
        counts = self.devices.counts
        settled_early = counts.settled_early
        self.devices.decide()
        count_moved(partition, "settled_early", counts.settled_early - settled_early)
        for move in self.devices.moves:
            self._send(partition, move)
        for device, moved in self.devices.own:
            count_moved(partition, "returned", moved.applied)
            write_letters(partition, moved, device, {})
        self.devices.moves, self.devices.own = [], []

    def _send(self, partition: LinkingPartition, move: Give | Take, redriven: Redriven | None = None) -> None:
        """Sends a move to the partition that owns its user, or applies it here."""
        owner = partition_of(person_key(move.user), partition.tracker.partitions)
        if owner == partition.partition:
            self._apply(partition, move)
            return
        message = encode_message(_message(partition, move, redriven))
        partition.open.send(Output(INBOX.name, person_key(move.user), message, (), owner))

    def settle(self, partition: LinkingPartition) -> None:
        """Lets the settled mark follow: everything that had to move was sent. It never goes back, not even
        when a partition reports again that it had passed.
        """
        population, tracker = partition.population, partition.tracker
        tracker.own_watermark_ms = population.watermark_ms
        settled_ms = min(population.watermark_ms, tracker.peers_settled_ms)
        population.settled_limit_ms = max(population.settled_limit_ms, settled_ms)

    def _apply(self, partition: LinkingPartition, move: Give | Take) -> None:
        device = split_profile_key(move.device)[1][2:]
        if isinstance(move, Give):
            other = None if move.is_new else move.device
            moved = give_signals(partition.population, move.user, device, move.signals, other)
            count_moved(partition, "given", moved.applied)
            events = [DeviceEvent(move.device, move.user, s.ref, s.head >> TIME, s) for s in move.signals]
            p = partition.population.profiles.get(move.user)
            if p is not None and p.origins is not None:
                self._most_devices = max(self._most_devices, len(p.origins.devices))
        else:
            moved = take_signals(partition.population, move.user, device, move.events, move.device)
            count_moved(partition, "taken", moved.applied)
            events = [
                DeviceEvent(move.device, move.user, name[REF_AT:], time_at(name, 0), None)
                for name in move.events
            ]
        if moved.over_cap or moved.settled or moved.left_out or moved.inconsistent:
            write_letters(partition, moved, move.user, {given_ref(device, e.ref): e for e in events})
        count_moved(partition, "kept", moved.kept)

    @property
    def figures(self) -> DeviceFigures:
        """How many devices there are, for the metrics."""
        shown, counts = self.devices.ownership.counts, self.devices.counts
        return DeviceFigures(
            on=True,
            linked=shown[ShownAs.LINKED],
            shared=shown[ShownAs.SHARED],
            links_only=shown[ShownAs.NOTHING],
            capped_devices=counts.full,
            capped_events=counts.settled_early,
            most_users=self.devices.ownership.most_users,
            most_devices=self._most_devices,
        )

    def device_parts(self) -> list[DevicePart]:
        """The state records of the open batch."""
        return self.devices.commit()


def device_key(event: Event, user: str) -> str:
    """The profile key of the device that an event of a user names. `user`: the key of the user's profile."""
    return f"{user[: -len(event.profile)]}d:{event.anonymous_id}"


def makes_link(event: Event, parameters: IdentityParameters) -> bool:
    """True if an event says that its user was on its device. It carries both."""
    return unlinked_reason(event, parameters) is None


def unlinked_reason(event: Event, parameters: IdentityParameters) -> str | None:
    """Why an event that carries a user and a device is no link: of UNLINKED_REASONS. None: it is one."""
    assert event.user_id is not None
    if event.user_id in parameters.collective:
        return "collective"
    if parameters.ignore is None:
        return None
    value = lookup(event, parameters.ignore)
    is_false = (value.strip().lower() if isinstance(value, str) else value) in NOT_TRUE
    return None if is_false else "ignored"


def _message(partition: LinkingPartition, move: Give | Take, redriven: Redriven | None) -> MoveMessage:
    book, checkpoint = partition.rulebook, partition.checkpoint
    batch = checkpoint.batches + 1
    if isinstance(move, Take):
        return TakeMessage(move.user, move.device, move.events, batch)
    signals = tuple([packed(signal, book, checkpoint.read_from) for signal in move.signals])
    return GiveMessage(move.user, move.device, signals, move.is_new, batch, redriven)
