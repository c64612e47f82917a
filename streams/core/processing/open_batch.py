"""What the open batch will commit, beside what the population and the counters hold."""

from collections import Counter

from streams.core.identity.devices import Devices
from streams.core.ingest.event import Event, Rejection
from streams.core.ingest.headers import decisive_headers
from streams.core.journeys.needs import LeftOut, shown_states
from streams.core.journeys.population import Population
from streams.core.journeys.profile import Profile
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.clock_errors import ClockCounts
from streams.core.processing.dead_letters import MAX_VALUE_BYTES, late_item, rejected_item
from streams.core.processing.inbox import Forwarded, encode_message
from streams.core.processing.publisher import Publisher
from streams.core.processing.record_keys import is_device, person_key
from streams.records import DecodedRecord, Output, Record
from streams.topology import CURRENT, CURRENT_DEVICES, IDENTITIES, INBOX, JOURNEYS

# What a dead letter has of what a value was, and one byte more: so it is known to be cut.
KEPT_BYTES = MAX_VALUE_BYTES + 1

_CURRENT, _CURRENT_DEVICES = CURRENT.name, CURRENT_DEVICES.name  # looked up thousands of times in a batch


class OpenBatch:
    """The records that a step has to write, in the order in which they came about."""

    def __init__(self) -> None:
        self.transitions: list[Output] = []
        # By key: profiles whose `current` record must be written again, each with its record key.
        self.moved: dict[str, tuple[Profile, bytes]] = {}
        self.retracted = 0  # transitions
        self.reasons: dict[str, Counter[str]] = {
            "rejected": Counter(),
            "late": Counter(),
            "no_signal": Counter(),
            "unknown_name": Counter(),
            "moved": Counter(),
        }
        self.clocks = ClockCounts()
        self._dead_letters: list[Output] = []
        self._forwarded: list[Output] = []

    def note_name(self, instead: str | None) -> None:
        """Counts an event by what read it instead of a rule that has its name; None: one has."""
        if instead is not None:
            self.reasons["unknown_name"][instead] += 1

    def reject(self, source: str, record: Record, rejection: Rejection) -> None:
        """Adds an item that could not be read."""
        self.reasons["rejected"][rejection.reason.value] += 1
        self._dead_letters.append(rejected_item(source, record, rejection))

    def late(
        self, source: str, record: Record, event: Event, key: str, why: tuple[str | LeftOut, float]
    ) -> None:
        """Adds an event that came too late, or the needs that were left out of one. `why`: the reason or
        those needs, and by how many seconds the event is behind the watermark.
        """
        if not isinstance(why[0], LeftOut):
            self.reasons["late"][why[0]] += 1
        self._dead_letters.append(late_item(source, record, event, key, why))

    def letter(self, dead_letter: Output) -> None:
        """Adds a record about an event that counts, or that has no bytes."""
        self._dead_letters.append(dead_letter)

    def forward(self, source: str, record: Record, who: bytes, owner: int) -> None:
        """Adds an item for the partition that owns its person.

        It keeps only the headers that decide how it is read, since others may be of any size.
        """
        item = Forwarded(
            source=source,
            offset=record.offset,
            index=record.index,
            time_ms=record.time_ms,
            headers=decisive_headers(record.headers),
            value=record.value,
            original=record.original[:KEPT_BYTES] if isinstance(record, DecodedRecord) else None,
        )
        self._forwarded.append(Output(INBOX.name, who, encode_message(item), (), owner))

    def send(self, message: Output) -> None:
        """Adds a message for another partition."""
        self._forwarded.append(message)

    def outputs(
        self, population: Population, publisher: Publisher, checkpoint: Checkpoint, devices: Devices | None
    ) -> list[Output]:
        """All records to write, except counters and watermark reports. `devices`: None: identity is off."""
        outputs, rev = self.transitions, checkpoint.rev
        population.unlooked.update(self.moved)
        checkpoint.count_reasons(self.reasons)
        owners = devices.ownership.take(devices.get) if devices is not None else ()
        for key, owner in owners:
            record_key = person_key(key)
            value = None if owner is None else publisher.identity(key, owner, checkpoint.batches)
            outputs.append(Output(IDENTITIES.name, record_key, value))
            # It names the person in `current_devices`, even if all that it ever did is theirs.
            self.moved.setdefault(key, (population.profiles.get(key) or _nobody(key), record_key))
        for p in population.forgotten:
            _, record_key = self.moved.pop(p.key, (p, person_key(p.key)))
            outputs.append(_current(publisher, _nobody(p.key), record_key, rev, devices))
        for p, record_key in self.moved.values():
            outputs.append(_current(publisher, p, record_key, rev, devices))
        for found in population.finals:
            p = found.profile
            outputs.append(Output(JOURNEYS.name, person_key(p.key), publisher.final(p, found.final)))
        return outputs + self._dead_letters + self._forwarded


def _nobody(key: str) -> Profile:
    """A profile of which nothing is held."""
    return Profile(key, [])


def _current(
    publisher: Publisher, p: Profile, record_key: bytes, rev: int, devices: Devices | None
) -> Output:
    """The record that says where this person is now, or the tombstone of one of whom nothing is held."""
    topic, user = _CURRENT, None
    if is_device(p.key):
        topic = _CURRENT_DEVICES
        user = devices.ownership.user_of(devices.get(p.key)) if devices is not None else None
    is_known = p.states or user is not None
    return Output(topic, record_key, publisher.current(p, shown_states(p), rev, user) if is_known else None)
