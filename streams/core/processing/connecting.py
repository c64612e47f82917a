"""Brings a person's devices together: links are sent to whoever owns their device, and events to whoever owns
the user to whom they belong. `streams/core/identity` decides; here messages come and go.

    note_link, take_event, take_links, take_moves  ->  finish  ->  housekeep, device_parts
"""

from collections.abc import Iterable
from typing import Protocol

from streams.core.identity.device import DevicePart, ShownAs
from streams.core.identity.devices import LINK_LATE, Devices, Give, Take
from streams.core.identity.links import LINK_QUARTER_MS, Link
from streams.core.ingest.event import Event, lookup
from streams.core.ingest.partition import partition_of
from streams.core.journeys.moving import Moved, give_signals, take_signals
from streams.core.journeys.population import Population
from streams.core.journeys.signal import event_ref
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.committed import DeviceFigures
from streams.core.processing.inbox import GiveMessage, LinkMessage, MoveMessage, TakeMessage, encode_message
from streams.core.processing.open_batch import OpenBatch
from streams.core.processing.parameters import IdentityParameters
from streams.core.processing.publisher import Publisher
from streams.core.processing.record_keys import person_key, split_profile_key
from streams.core.processing.rulebook import Rulebook
from streams.core.processing.travelling import packed, unpacked
from streams.core.processing.watermark import WatermarkTracker
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
    open: OpenBatch


class Connector:
    """The links and moves of one partition."""

    def __init__(self, parameters: IdentityParameters, population: Population) -> None:
        self.parameters = parameters
        self.devices = Devices(population, parameters.spans)
        self.take_event = self.devices.take_event
        self._most_devices = 0  # that gave events to one user, since the start
        # (device, user) -> the quarter of an hour, and the first link of it that was sent.
        self._sent: dict[tuple[str, str], tuple[int, int, str]] = {}

    def note_link(
        self, partition: LinkingPartition, event: Event, user: str, place: tuple[str, Record]
    ) -> None:
        """Takes or sends the link of an event that carries a user and a device, unless it makes none.

        `user`: the key of the profile. `place`: where the event was read.
        """
        device = device_key(event, user)
        sent, quarter = self._sent.get((device, user)), event.at_ms // LINK_QUARTER_MS
        if (
            sent is not None
            and sent[0] == quarter
            and (sent[1] < event.at_ms or sent[1:] == (event.at_ms, event.id))
        ):
            return
        if not makes_link(event, self.parameters):
            return
        source, record = place
        link = LinkMessage(
            device, user, event.at_ms, event.id, source, offset=record.offset, index=record.index
        )
        owner = partition_of(person_key(device), partition.tracker.partitions)
        if owner != partition.partition:
            message = encode_message(link)
            partition.open.send(Output(INBOX.name, person_key(device), message, (), owner))
            certain = partition.tracker.is_waited_for(event.at_ms, partition.population.finality)
        else:
            certain = self._take_link(partition, link)
        if certain:
            if len(self._sent) >= MAX_SENT_LINKS:
                self._sent.clear()
            self._sent[device, user] = quarter, event.at_ms, event.id

    def take_links(self, partition: LinkingPartition, links: Iterable[LinkMessage]) -> None:
        """Takes links that other partitions read."""
        for link in links:
            self._take_link(partition, link)

    def _take_link(self, partition: LinkingPartition, link: LinkMessage) -> bool:
        """False: it is late."""
        full = self.devices.counts.full
        outcome = self.devices.take_link(link.device, Link(link.at_ms, link.user, event_ref(link.event)))
        _count(partition, "full", self.devices.counts.full - full)
        if outcome == LINK_LATE:
            _count(partition, "late_links", 1)
        return outcome != LINK_LATE

    def take_moves(self, partition: LinkingPartition, moves: Iterable[MoveMessage]) -> None:
        """Applies what devices of other partitions have given to users of this one, and taken back."""
        for move in moves:
            if isinstance(move, TakeMessage):
                self._apply(partition, Take(move.user, move.device, move.refs))
                continue
            versions = len(partition.rulebook.versions)
            signals = tuple([unpacked(sent, partition.rulebook) for sent in move.signals])
            if len(partition.rulebook.versions) > versions:
                partition.publisher.rules_changed()
            self._apply(partition, Give(move.user, move.device, signals, move.is_new))

    def finish(self, partition: LinkingPartition) -> None:
        """Decides whose events are, now that all links of the batch are in, and sends what moves.

        Call it before time passes. The settled mark follows the watermark behind it.
        """
        counts = self.devices.counts
        settled_early = counts.settled_early
        self.devices.decide()
        _count(partition, "settled_early", counts.settled_early - settled_early)
        for move in self.devices.moves:
            owner = partition_of(person_key(move.user), partition.tracker.partitions)
            if owner == partition.partition:
                self._apply(partition, move)
            else:
                batch = partition.checkpoint.batches + 1
                message = encode_message(_message(move, partition.rulebook, batch))
                partition.open.send(Output(INBOX.name, person_key(move.user), message, (), owner))
        for moved in self.devices.own:
            _count_moved(partition, "returned", moved)
        self.devices.moves, self.devices.own = [], []
        self.settle(partition)

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
            _count_moved(partition, "given", moved)
            p = partition.population.profiles.get(move.user)
            if p is not None and p.origins is not None:
                self._most_devices = max(self._most_devices, len(p.origins.devices))
        else:
            moved = take_signals(partition.population, move.user, device, move.refs, move.device)
            _count_moved(partition, "taken", moved)

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
    assert event.user_id is not None
    if event.user_id in parameters.collective:
        return False
    if parameters.ignore is None:
        return True
    value = lookup(event, parameters.ignore)
    return (value.strip().lower() if isinstance(value, str) else value) in NOT_TRUE


def _message(move: Give | Take, book: Rulebook, batch: int) -> MoveMessage:
    if isinstance(move, Take):
        return TakeMessage(move.user, move.device, move.refs, batch)
    signals = tuple([packed(signal, book) for signal in move.signals])
    return GiveMessage(move.user, move.device, signals, move.is_new, batch)


def _count_moved(partition: LinkingPartition, what: str, moved: Moved) -> None:
    _count(partition, what, moved.applied)
    _count(partition, "over_cap", len(moved.over_cap))
    _count(partition, "narrowed", len(moved.left_out))
    _count(partition, "kept", moved.kept)
    _count(partition, "inconsistent", moved.inconsistent)


def _count(partition: LinkingPartition, what: str, count: int) -> None:
    if count:
        counts = partition.checkpoint.counts.moves
        counts[what] = counts.get(what, 0) + count
