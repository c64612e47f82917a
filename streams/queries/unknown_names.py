"""Lists the names of events that no rule has, so that nobody finds out after a month that purchases were
called something else. It says of each what read it instead, and where one of its events is.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator

import msgspec

from streams.core.ingest.event import Event
from streams.core.moments.classifier import Classifier
from streams.core.moments.rules import Rules
from streams.core.moments.verdict import INTENTS, READ_INSTEAD
from streams.core.moments.words import fold_name
from streams.core.processing.checkpoint import decode_checkpoint
from streams.errors import InputError
from streams.log.port import Reader
from streams.queries.input_check import MAX_NAMES, OTHERS
from streams.queries.recomputation import REPORT_EVERY
from streams.queries.stored_items import ItemReader, Unreadable, read_rulebook
from streams.runtime.parameters import parameters_of
from streams.settings.fold import FoldSettings
from streams.topology import is_inbox

MAX_LISTED_CHARS = 80  # that are kept of one: a longer name is a text

_DIGITS = re.compile(r"\d+")


class UnknownName(msgspec.Struct):
    """A name that no rule has, as it was spelled first. Names that differ in digits alone are one: `#` stands
    for them.
    """

    name: str
    events: int
    read_by: dict[str, int]  # events by what reads them instead, one of READ_INSTEAD
    moments: dict[str, int]  # events by what is read in them; none: nothing
    unsure: int  # events of these moments that only keep an open journey alive
    rule: str | None  # by which the first one was read; None: by none
    matched: str  # what that rule recognised
    example: str  # where the first of its events is: file and row, or topic, partition and offset


class UnknownNamesReport(msgspec.Struct):
    """What `streams explain --unknown --json` prints."""

    rules: str  # the version
    events: int  # that were looked at
    unknown: int  # of these: events with a name that no rule has
    names: list[UnknownName]  # the most frequent first
    unreadable: list[str]  # sources with records whose reader this release does not have


class UnknownNames:
    """Counts events by their names, where no rule has them."""

    def __init__(self, rules: Rules) -> None:
        self._version, self._classifier = rules.version, Classifier(rules)
        self._events = 0
        self._names: dict[str, UnknownName] = {}
        self.unreadable = Counter[str]()

    def note(self, event: Event, place: str) -> None:
        """Counts an event, which is at this place. Those of robots and of people who refused are passed
        over.
        """
        if event.apart is not None:
            return
        self._events += 1
        verdict = self._classifier.classify(event)
        instead = self._classifier.read_instead(event, verdict)
        if instead is None:
            return
        shape = _shape(event.name)
        found = self._names.get(fold_name(shape))
        if found is None:
            if len(self._names) >= MAX_NAMES:
                shape = OTHERS
            found = self._names.setdefault(fold_name(shape), self._first(event, shape, place))
        found.events += 1
        found.read_by[instead] = found.read_by.get(instead, 0) + 1
        moment = "none" if verdict is None else INTENTS[verdict.intent]
        found.moments[moment] = found.moments.get(moment, 0) + 1
        found.unsure += verdict is not None and not verdict.sure

    def _first(self, event: Event, shape: str, place: str) -> UnknownName:
        explained = self._classifier.explain(event)
        return UnknownName(
            name=shape,
            events=0,
            read_by={},
            moments={},
            unsure=0,
            rule=explained.rule,
            matched=explained.matched if explained.evidence == "words" else "",
            example=place,
        )

    def report(self) -> UnknownNamesReport:
        """All names, the most frequent first; of some that are as frequent, first what looks like a
        purchase.
        """
        names = sorted(self._names.values(), key=lambda name: (-name.events, _rank(name), name.name))
        return UnknownNamesReport(
            rules=self._version,
            events=self._events,
            unknown=sum(name.events for name in names),
            names=names,
            unreadable=sorted(self.unreadable),
        )


def _rank(name: UnknownName) -> int:
    return min(map(READ_INSTEAD.index, name.read_by), default=0)


def _shape(name: str) -> str:
    """The name as it is shown: ids in it are `#`, and it is printable."""
    shown = _DIGITS.sub("#", name[:MAX_LISTED_CHARS])
    return " ".join("".join(c if c.isprintable() else " " for c in shown).split()) or OTHERS


async def note_stored(names: UnknownNames, reader: Reader) -> AsyncIterator[int]:
    """Counts all events that a log has stored and processed. Yields the number of records so far.

    Each is read through the door through which it came. Raises InputError if nothing was processed yet.
    """
    stored = [None if raw is None else decode_checkpoint(raw) for raw in await reader.checkpoints()]
    if not any(stored):
        raise InputError("nothing has been processed yet: there are no names")
    read = 0
    for number, checkpoint in enumerate(stored):
        if checkpoint is None:
            continue
        parameters = parameters_of(FoldSettings.model_validate_json(checkpoint.fold))
        items = ItemReader(parameters, await read_rulebook(reader, number, checkpoint))
        for source, position in checkpoint.sources.items():
            if is_inbox(source):  # what is there was read before
                continue
            async for record in reader.scan_source(source, position.offset):
                found = items.read(source, record)
                if isinstance(found, Unreadable):
                    names.unreadable[source] += 1
                    continue
                for item in found:
                    if isinstance(item.outcome, Event):
                        names.note(item.outcome, f"{source}@{item.origin.offset}")
                read += 1
                if read % REPORT_EVERY == 0:
                    yield read
