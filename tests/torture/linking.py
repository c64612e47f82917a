"""What partitions said to each other of links and of what these move, and what they publish of devices; held
to the stored input and to the oracle.

Which links were late is taken over from the late topic, since it depended on arrival.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from streams import topology
from streams.core.journeys.signal import event_ref, event_text
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.dead_letters import is_canonical
from streams.core.processing.inbox import (
    Forwarded,
    GiveMessage,
    LinkMessage,
    MoveMessage,
    TakeMessage,
    decode_message,
)
from streams.log.port import Reader
from streams.topology import split_source
from tests import identity_oracle
from tests.simulation.linked import Linking, Told
from tests.simulation.redrives import Key
from tests.simulation.wire import sent, time
from tests.torture.people import People, key_of_device
from tests.torture.receipts import Letter, partition_of_key

# What must not be: a defect, or a cap or the settled mark that decided whose an event is. Nobody comes to the
# shop so often, and nobody is left behind for so long.
UNLAWFUL = ("inconsistent", "kept", "over_cap", "narrowed", "full", "settled", "settled_early")
LATE_LINKS = 0.3  # of all: with more of them late a run would say little
Place = tuple[str, int, int]  # topic, partition, offset of a stored record
Named = tuple[str, str, str]  # user, device, event


class Inbox(NamedTuple):
    """What was sent to a partition."""

    forwarded: list[Place]  # where the items were read
    links: list[LinkMessage]
    moves: list[MoveMessage]


async def read_inbox(log: Reader, number: int) -> Inbox:
    found = Inbox([], [], [])
    async for record in log.scan_source(log.sources(number)[-1]):
        match decode_message(record.value):
            case Forwarded(source=source, offset=offset):
                found.forwarded.append((*split_source(source), offset))
            case LinkMessage() as link:
                found.links.append(link)
            case GiveMessage() | TakeMessage() as move:
                found.moves.append(move)
    return found


async def late_links_of(log: Reader) -> list[Counter[tuple[Letter, str]]]:
    """By partition: how often a link was late, by where it was read and what its event is called."""
    found = []
    for number in range(log.partitions):
        late: Counter[tuple[Letter, str]] = Counter()
        async for _, record in log.scan(topology.LATE.name, number):
            if is_canonical(record):
                headers = {name: value.decode() for name, value in record.headers}
                if headers["reason"] != "link":
                    continue  # that is counted: see UNLAWFUL
                index = tuple(int(headers[name]) for name in ("partition", "offset", "index"))
                late[(headers["topic"], *index), headers["event"]] += 1  # type: ignore[index]  # four parts
        found.append(late)
    return found


def unlawful_moves(stored: Iterable[Checkpoint]) -> Mapping[str, int]:
    """What is counted of moves that the laws say nothing of: where there is some, nothing can be judged."""
    counts: Counter[str] = Counter()
    for c in stored:
        counts.update(c.counts.moves)
    return {name: counts[name] for name in UNLAWFUL if counts[name]}


class Linkings:
    """All links that were read, and which of them count."""

    def __init__(
        self,
        people: People,
        read: Sequence[Sequence[tuple[Place, Linking]]],
        redriven: Sequence[tuple[Letter, Linking]],
        late: Sequence[Counter[tuple[Letter, str]]],
    ) -> None:
        """Gives its people those that were not late. `read`, `late`: by partition."""
        self._people, self._read, self._late = people, read, late
        self.redriven = [link for _, link in redriven]  # late or not
        self.figures: Counter[str] = Counter()
        tries: Counter[tuple[Letter, str]] = Counter()
        links: dict[tuple[Letter, str], Linking] = {}
        every = [((*place, 0), link) for partition in read for place, link in partition]
        for letter, link in (*every, *redriven):
            name = letter, event_text(event_ref(link.event))
            tries[name] += 1
            links[name] = link
        called_late = sum(late, Counter())
        # One that was redriven may have been in time then.
        self._unknown = called_late - tries
        for name, link in links.items():
            if called_late[name] < tries[name]:
                people.link(link)
        self.figures["links"] = tries.total()
        self.figures["late links"] = called_late.total()

    def broken(
        self, inboxes: Sequence[Inbox], stored: Sequence[Checkpoint], told: Told
    ) -> Iterator[tuple[str, str]]:
        """The laws of links and moves that do not hold, and how. `stored`, `inboxes`: by partition."""
        for number in range(len(inboxes)):
            for how in self._unsent(number, inboxes):
                yield "links", f"partition {number}: {how}"
            if (said := stored[number].counts.moves.get("late_links", 0)) != self._late[number].total():
                yield "links", f"partition {number}: {said} late, {self._late[number].total()} dead letters"
        if self._unknown:
            yield "links", f"called late, and there were none: {[*self._unknown][:3]}"
        if self.figures["late links"] > LATE_LINKS * self.figures["links"]:
            yield "links", f"{self.figures['late links']} of {self.figures['links']} links were late"
        held: set[Named] = set()
        for number, inbox in enumerate(inboxes):
            for how in _moved(inbox.moves, held):
                yield "moves", f"partition {number}: {how}"
        away = {
            (f"u:{user}", device[1], sent(event))
            for (device, event), user in told.users.items()
            if partition_of_key(device, len(inboxes)) != partition_of_key((None, f"u:{user}"), len(inboxes))
        }
        for what, wrong in (("given, and not theirs", held - away), ("theirs, and not given", away - held)):
            if wrong:
                yield "moves", f"{len(wrong)} events are {what}: {[*wrong][:3]}"
        counts: Counter[str] = Counter()
        for c in stored:
            counts.update(c.counts.moves)
        if counts["given"] - counts["taken"] != len(told.users):
            yield "moves", f"{dict(counts)} are counted, and {len(told.users)} events are their users'"
        self.figures["events that users have from devices"] = len(told.users)
        self.figures["of them over partitions"] = len(away)
        self.figures["events taken back"] = counts["taken"]

    def _unsent(self, number: int, inboxes: Sequence[Inbox]) -> Iterator[str]:
        """Every link that a partition read is in the inbox of whoever owns its device, or one of its user and
        quarter of an hour is that is not later; none is there twice, and none that was not read.
        """
        partitions, read = len(inboxes), dict(self._read[number])
        first: dict[Any, tuple[int, str]] = {}
        for owner, inbox in enumerate(inboxes):
            for m in inbox.links:
                place = (*split_source(m.source), m.offset)
                if m.is_redriven or place not in read:
                    continue
                link = read.pop(place)
                if (m.device, m.user, m.at_ms, m.event) != (
                    f"d:{link.device}", f"u:{link.user}", link.at, link.event,
                ):  # fmt: skip
                    yield f"{m} was sent, and {link} was read"
                name = owner, m.device, m.user, m.at_ms // identity_oracle.QUARTER
                first[name] = min(first.get(name, (m.at_ms, m.event)), (m.at_ms, m.event))
        for place, link in self._read[number]:
            owner = partition_of_key(key_of_device(link.device), partitions)
            name = owner, f"d:{link.device}", f"u:{link.user}", link.at // identity_oracle.QUARTER
            if owner != number and first.get(name, (link.at + 1, "")) > (link.at, link.event):
                yield f"{link}, read at {place}, was not sent to partition {owner}"
        every = Counter((m.source, m.offset, m.index) for m in inboxes[number].links if not m.is_redriven)
        if twice := [place for place, n in every.items() if n > 1]:
            yield f"{len(twice)} links were sent to it more than once: {twice[:3]}"


def _moved(moves: Sequence[MoveMessage], held: set[Named]) -> Iterator[str]:
    """What is given was not there, and what is taken was. `held`: what is there in the end is added."""
    for move in moves:
        if isinstance(move, TakeMessage):
            for ref in move.refs:
                name = move.user, move.device, event_text(ref)
                if name not in held:
                    yield f"{name} was taken, and had not been given"
                held.discard(name)
            continue
        for signal in move.signals:
            name = move.user, move.device, event_text(signal.ref)
            if name in held and move.redriven is None:
                yield f"{name} was given twice"
            held.add(name)


async def wrong_identities(log: Reader, people: People, stored: Sequence[Checkpoint]) -> list[str]:
    """What the topic `identities` says of devices and the oracle does not, or the other way round.

    A device whose links may have been forgotten on the way may begin anew.
    """
    wrong, settings = [], people.identity
    limits, reach = people.redriven.limits, settings.back + settings.forward
    said: dict[Key, Any] = {}
    for number in range(log.partitions):
        async for _, record in log.scan(topology.IDENTITIES.name, number):
            if record.value:
                value = msgspec.json.decode(record.value)
                said[key_of_device(value["device"])] = value
                if partition_of_key(key_of_device(value["device"]), log.partitions) != number:
                    wrong.append(f"{value} is in partition {number}")
    for device in {key_of_device(link.device) for link in people.links} | said.keys():
        events, mark = people.events_of(device), stored[partition_of_key(device, log.partitions)]
        links = identity_oracle.links_of(events, "", device[1][2:], settings)
        several = len({link.user for link in links}) > 1
        kept = limits.finality + settings.forward + several * reach
        since = links[0].at
        for before, after in pairwise(links):
            if after.at - before.at > limits.finality + settings.forward:
                since = after.at
        if links[-1].at < mark.settled_mark_ms - limits.finality - settings.forward:
            if device in said and links[-1].at < mark.settled_mark_ms - kept:
                wrong.append(f"{said[device]}, and its newest link is of {time(links[-1].at)}")
            continue
        whole = identity_oracle.whose(events, "", device[1][2:], settings)
        own = [e for e in events if e.at >= since - settings.back]
        last = identity_oracle.whose(own, "", device[1][2:], settings)
        found = said.get(device)
        if found is None and last is not None:
            wrong.append(f"nothing is said of {device}, and it is {last}")
        elif found is not None and whole is None:
            wrong.append(f"{found}, and no link has decided an event of it")
        elif found is not None and whole is not None:
            at = found["since"] and int(datetime.fromisoformat(found["since"]).timestamp() * 1000 + 0.5)
            person = found["person"] and found["person"][2:]
            if (person, at, found["users"], found["shared"]) != (
                whole.user, whole.since, whole.users, whole.user is None,
            ):  # fmt: skip
                wrong.append(f"{found}, and it is {whole}")
    return wrong
