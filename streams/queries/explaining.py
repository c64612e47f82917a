"""How the rules read something: a search, the name of an event, a page, or whole records of any format.

A record passes the same door here as on its way in, and the explanation says what happened to it there.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from streams.core.ingest.door import Door, door_of
from streams.core.ingest.event import Event, Items, Reason, Rejection
from streams.core.ingest.json_text import Decoded, decode
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.core.moments.classifier import Classifier
from streams.core.moments.rules import Rules
from streams.core.moments.verdict import Explanation

DEFAULT_FIELDS: Mapping[str, str] = {
    "type": "track",
    "messageId": "explain",
    "timestamp": "2024-01-01T00:00:00Z",
    "anonymousId": "explain",
}
"""The fields that every event needs, no rule reads and nobody wants to type."""

_INPUT = ""  # the door has no settings for it
# A record that is refused for one of these may be one of the Segment spec that somebody typed in part.
_FILLED_IN = (Reason.MISSING_PERSON, Reason.MISSING_TIME, Reason.UNKNOWN_FORMAT)
_TYPED = ("type", "event", "name", "properties", "context")  # one of these shows it


class ExplainedEvent(msgspec.Struct, frozen=True):
    """What one event is read as."""

    read_as: str  # search, event name, page, or record
    found: Explanation | Rejection | None  # None: a record that holds no event
    format: str = ""  # of a record; "" where it is of none that is known
    event: Event | None = None
    filled_in: tuple[str, ...] = ()  # fields that were missing and made up


class Explainer:
    """Reads lines by one set of rules. Without a door, through that of a start for which nothing is set."""

    def __init__(self, rules: Rules, door: Door | None = None) -> None:
        self._classifier = Classifier(rules)
        self._reader = RecordReader(door_of(0) if door is None else door, _INPUT)

    def search(self, text: str, locale: str | None = None) -> ExplainedEvent:
        """The words of a search. `locale`: its language, such as it or en-GB; None: all are tried."""
        return ExplainedEvent("search", self._classifier.query(text, locale))

    def event_name(self, name: str) -> ExplainedEvent:
        """The name of an event, as a track call has it."""
        event = _event(type="track", name=name)
        found = self._classifier.explain(event)
        by_name = found.evidence in ("event", "words", "cue")
        unread = Explanation(None, "none", asked=found.asked)
        return ExplainedEvent("event name", found if by_name else unread)

    def page(self, path: str) -> ExplainedEvent:
        """The path or address of a page that was viewed."""
        event = _event(type="page", context={"page": {"url": path} if "://" in path else {"path": path}})
        return ExplainedEvent("page", self._classifier.explain(event))

    def record(self, value: bytes) -> tuple[ExplainedEvent, ...]:
        """Every event of a record, in its order."""
        outcome, formats = self._reader.look(value, (), -1, LATEST_MS)
        filled_in: tuple[str, ...] = ()
        if isinstance(outcome, Rejection) and outcome.reason in _FILLED_IN and formats[0] in ("", "segment"):
            value, filled_in = _filled(value)
            outcome, formats = self._reader.look(value, (), -1, LATEST_MS)
        if isinstance(outcome, Items):
            outcomes = [item.outcome for item in outcome.items] or [outcome]
        else:
            outcomes = [outcome]
        return tuple(
            self._explained(one, format, filled_in) for one, format in zip(outcomes, formats, strict=True)
        )

    def line(self, line: bytes) -> tuple[ExplainedEvent, ...]:
        """A line: `{"text": QUERY, "locale": TAG}`, `{"event": NAME}`, `{"page": PATH}` or a record."""
        decoded = decode(line.strip())
        document = decoded.document if isinstance(decoded, Decoded) else None
        if isinstance(document, dict) and all(isinstance(member, str) for member in document.values()):
            match sorted(document):
                case ["text"] | ["locale", "text"]:
                    return (self.search(document["text"], document.get("locale")),)
                case ["event"]:
                    return (self.event_name(document["event"]),)
                case ["page"]:
                    return (self.page(document["page"]),)
        return self.record(line)

    def _explained(
        self, outcome: Event | Rejection | Items, format: str, filled_in: tuple[str, ...]
    ) -> ExplainedEvent:
        if isinstance(outcome, Event):
            found = self._classifier.explain(outcome) if outcome.apart is None else Explanation(None, "none")
            return ExplainedEvent("record", found, format, outcome, filled_in)
        return ExplainedEvent("record", outcome if isinstance(outcome, Rejection) else None, format)


def _event(**fields: Any) -> Event:
    given: dict[str, Any] = {"type": "track", "name": "", "context": {}} | fields
    return Event(
        id="explain",
        at_ms=0,
        utc_offset_quarters=0,
        anonymous_id="explain",
        user_id=None,
        properties={},
        **given,
    )


def _filled(value: bytes) -> tuple[bytes, tuple[str, ...]]:
    """A record with what is missing in it, and the names of those fields."""
    decoded = decode(value)
    document = decoded.document if isinstance(decoded, Decoded) else None
    if not isinstance(document, dict) or not any(name in document for name in _TYPED):
        return value, ()
    missing = [name for name in DEFAULT_FIELDS if not document.get(name)]
    if document.get("userId"):
        missing = [name for name in missing if name != "anonymousId"]
    return msgspec.json.encode(document | {name: DEFAULT_FIELDS[name] for name in missing}), tuple(missing)


def report(explained: ExplainedEvent) -> dict[str, Any]:
    """The explanation for machines."""
    found = explained.found
    if found is None or isinstance(found, Rejection):
        fields: dict[str, Any] = {
            "moment": "none",
            "confidence": 0.0,
            "sure": False,
            "rule": None,
            "evidence": None,
        }
        if found is not None:
            fields |= {"rejected": found.reason.value, "detail": found.detail}
    else:
        fields = {
            "moment": found.moment,
            "confidence": found.confidence,
            "sure": found.verdict is not None and found.verdict.sure,
            "rule": found.rule,
            "evidence": found.evidence,
        }
        fields |= {
            "language": found.language or None,
            "asked": [msgspec.to_builtins(reason) for reason in found.asked],
            "next": msgspec.to_builtins(found.next) if found.next is not None else None,
        }
        if found.mended is not None:
            fields["mended"] = found.mended
        if found.cue is not None:
            fields |= {"cue": found.cue, "cue_rule": found.cue_rule}
    if explained.read_as == "record":
        fields["format"] = explained.format or None
    if explained.event is not None:
        fields["repairs"] = [repair.value for repair in explained.event.repairs]
        fields["apart"] = explained.event.apart
    return fields
