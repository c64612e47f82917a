"""`streams explain`: how the rules read something. What somebody asks who writes rules, or who does not believe a transition."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli import options
from streams.cli.screen import COLOURS, console, emit

if TYPE_CHECKING:
    from streams.core.ingest.event import Event, Rejection
    from streams.core.moments.classifier import Classifier, Explanation

STAND_INS = {
    "type": "track",
    "messageId": "explain",
    "timestamp": "2024-01-01T00:00:00Z",
    "anonymousId": "explain",
}  # how it is read goes by none of them

MEANINGS = {
    "none": "known, and no signal: it does nothing to a journey",
    "unread": "no rule reads it: it is counted as no signal and does nothing to a journey",
    "unsure": "unsure (0.4 or less): it keeps an open journey alive; it never opens or moves one",
    "query truth": "a search is never a purchase: it keeps an open journey alive; it never opens, moves or closes one",
    "truth": "sure: it closes the open journey as converted, or opens and converts one at once",
    "refund": "sure: it marks the purchase that it belongs to as refunded; it never touches an open journey",
    "sure": "sure: it opens a journey in {0}, or moves an open one to {0}",
}


def explain(
    ctx: typer.Context,
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT|EVENT",
            callback=options.is_text,
            help="What somebody searched for, the name of an event, or an event as JSON.",
            show_default=False,
        ),
    ],
    rules: options.RulesFile = None,
    locale: Annotated[
        str | None,
        typer.Option(
            metavar="TAG",
            callback=options.is_text,
            help="The language of a search, such as it or en-GB. Without it all are tried.",
        ),
    ] = None,
    search: Annotated[
        bool, typer.Option("--search", help="Read it as a search, even if an event has that name.")
    ] = False,
    json: options.Json = False,
) -> None:
    """How the rules read a search, an event's name or a whole event: which moment, by which rule, and what that means for a journey."""
    from streams.core.ingest.event import Rejection
    from streams.core.moments.classifier import Classifier

    read_by = options.rules(options.settings(ctx, rules=rules))
    kind, found = _read(Classifier(read_by), text, locale, search)
    if isinstance(found, Rejection):
        said: dict[str, Any] = {
            "read_as": kind,
            "rejected": found.reason.value,
            "detail": found.detail,
            "rules": read_by.version,
        }
        meaning = f"rejected ({found.reason.value}: {found.reason.about}): {found.detail}"
    else:
        meaning = _meaning(found)
        said = {
            "read_as": kind, "moment": found.moment, "confidence": found.confidence, "sure": found.verdict is not None and found.verdict.sure,
            "rule": found.rule, "evidence": found.evidence, "matched": found.matched, "rules": read_by.version, "meaning": meaning,
        }  # fmt: skip
    if json:
        import orjson

        emit(orjson.dumps(said))
        return
    _show(text, said, meaning)


def _read(
    classifier: "Classifier", text: str, locale: str | None, search: bool
) -> "tuple[str, Explanation | Rejection]":
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
    """An event, with stand-ins for what no rule looks at and nobody wants to type."""
    import orjson

    from streams.core.ingest.event import Items, Reason, reject
    from streams.core.ingest.formats.segment import read
    from streams.core.ingest.times import LATEST_MS

    try:
        given = orjson.loads(value)
        if isinstance(given, dict):
            value = orjson.dumps(STAND_INS | given)
    except ValueError:
        pass  # `read` says what is wrong with it
    found = read(value, (), LATEST_MS)
    return (
        reject(Reason.UNKNOWN_TYPE, "a batch: give one of its calls") if isinstance(found, Items) else found
    )


def _meaning(found: "Explanation") -> str:
    verdict = found.verdict
    if verdict is None:
        return MEANINGS["unread" if found.rule is None else "none"]
    if not verdict.sure:
        return MEANINGS["query truth" if found.moment == "truth" else "unsure"]
    return MEANINGS[found.moment if found.moment in MEANINGS else "sure"].format(found.moment)


def _show(text: str, said: dict[str, Any], meaning: str) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    grid.add_row(said["read_as"], Text(text, style="bold"))
    if "rejected" not in said:
        grid.add_row("moment", Text(said["moment"], style=f"bold {COLOURS.get(said['moment'], '')}".strip()))
        if said["rule"] is not None:
            grid.add_row("rule", f"{said['rule']}, confidence {said['confidence']:g}")
            grid.add_row("matched", Text(said["matched"]))
    grid.add_row("means", Text(meaning))
    grid.add_row("rules", said["rules"])
    console().print(grid)
