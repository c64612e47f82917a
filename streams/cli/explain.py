"""`streams explain`: how the rules read something. For people who write rules, or who doubt a transition."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import JsonOption, RulesOption, checked_text, rules_of, settings_of
from streams.cli.screen import console, emit_line

if TYPE_CHECKING:
    from streams.core.ingest.event import Event, Rejection
    from streams.core.moments.classifier import Classifier
    from streams.core.moments.verdict import Explanation

DEFAULT_FIELDS = {
    "type": "track",
    "messageId": "explain",
    "timestamp": "2024-01-01T00:00:00Z",
    "anonymousId": "explain",
}
"""The fields that every event needs and no rule reads."""

MEANINGS: Mapping[str, str] = {
    "none": "known, and no signal: it does nothing to a journey",
    "unread": "no rule reads it: it counts as no signal and does nothing to a journey",
    "unsure": "unsure (0.4 or less): it keeps an open journey alive; it never opens or moves one",
    "query truth": (
        "a search is never a purchase: it keeps an open journey alive; it never opens, moves or closes one"
    ),
    "truth": "sure: it closes the open journey as converted, or opens and converts one at once",
    "refund": "sure: it marks the purchase that it belongs to as refunded; it never touches an open journey",
    "sure": "sure: it opens a journey in {0}, or moves an open one to {0}",
}


def explain_command(
    ctx: typer.Context,
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT|EVENT",
            callback=checked_text,
            help="The words of a search, the name of an event, or an event as JSON.",
            show_default=False,
        ),
    ],
    rules: RulesOption = None,
    locale: Annotated[
        str | None,
        typer.Option(
            metavar="TAG",
            callback=checked_text,
            help="The language of a search, such as it or en-GB. Without it, all languages are tried.",
        ),
    ] = None,
    search: Annotated[
        bool, typer.Option("--search", help="Read the text as a search, even if an event has that name.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Shows how the rules read a search, an event's name or a whole event, and the effect on a journey."""
    from streams.core.ingest.event import Rejection
    from streams.core.moments.classifier import Classifier

    loaded = rules_of(settings_of(ctx, rules=rules))
    kind, found = _read(Classifier(loaded), text, locale, search)
    if isinstance(found, Rejection):
        report: dict[str, Any] = {
            "read_as": kind,
            "rejected": found.reason.value,
            "detail": found.detail,
            "rules": loaded.version,
        }
        meaning = f"rejected ({found.reason.value}: {found.reason.about}): {found.detail}"
    else:
        meaning = _meaning(found)
        report = {
            "read_as": kind,
            "moment": found.moment,
            "confidence": found.confidence,
            "sure": found.verdict is not None and found.verdict.sure,
            "rule": found.rule,
            "evidence": found.evidence,
            "matched": found.matched,
            "rules": loaded.version,
            "meaning": meaning,
        }
    if json:
        import orjson

        emit_line(orjson.dumps(report))
        return
    from streams.cli.render.explain import render

    console().print(render(text, report, meaning))


def _read(
    classifier: "Classifier", text: str, locale: str | None, search: bool
) -> "tuple[str, Explanation | Rejection]":
    """What the text is read as, and how: an event, the name of an event or a search."""
    import orjson

    from streams.core.ingest.event import Rejection

    if not search:
        if text.lstrip().startswith("{"):
            event = _event(text.encode())
            return "event", event if isinstance(event, Rejection) else classifier.explain(event)
        event = _event(orjson.dumps({"event": text}))
        if not isinstance(event, Rejection) and (found := classifier.explain(event)).evidence == "event":
            return "event name", found
    return "search", classifier.query(text, locale)


def _event(value: bytes) -> "Event | Rejection":
    """An event, with defaults for the fields that no rule reads and nobody wants to type."""
    import orjson

    from streams.core.ingest.door import door_of
    from streams.core.ingest.event import Items, Reason, reject
    from streams.core.ingest.reading import RecordReader
    from streams.core.ingest.times import LATEST_MS

    try:
        given = orjson.loads(value)
        if isinstance(given, dict):
            value = orjson.dumps(DEFAULT_FIELDS | given)
    except ValueError:
        pass  # the reader rejects it, with the reason
    found = RecordReader(door_of(0), "").read(value, (), -1, LATEST_MS)
    if isinstance(found, Items):
        return reject(Reason.UNKNOWN_TYPE, "a batch: give one of its calls")
    return found


def _meaning(found: "Explanation") -> str:
    verdict = found.verdict
    if verdict is None:
        return MEANINGS["unread" if found.rule is None else "none"]
    if not verdict.sure:
        return MEANINGS["query truth" if found.moment == "truth" else "unsure"]
    return MEANINGS[found.moment if found.moment in MEANINGS else "sure"].format(found.moment)
