"""`streams explain`: how the rules read something. For people who write rules, or who doubt a transition."""

import asyncio
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.opened_log import LogFlags
from streams.cli.options import (
    AppOption,
    DataDirOption,
    FormatOption,
    JsonOption,
    KafkaOption,
    MapOption,
    RulesOption,
    ZoneOption,
    checked_text,
    rules_of,
    settings_of,
)
from streams.cli.screen import console, emit_line
from streams.cli.unknown_names import WantedNames, list_unknown_names
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.core.moments.verdict import Explanation
    from streams.queries.explaining import ExplainedEvent, Explainer

MEANINGS: Mapping[str, str] = {
    "none": "known, and no signal: it does nothing to a journey",
    "unread": "no rule reads it: it counts as no signal and does nothing to a journey",
    "unsure": "unsure (0.4 or less): it keeps an open journey alive; it never opens or moves one",
    "query truth": (
        "a search is never a purchase: it keeps an open journey alive; it never opens, moves or closes one"
    ),
    "truth": "sure: it closes the open journey as converted, or opens and converts one at once",
    "refund": (
        "sure: it marks the purchase that it belongs to as refunded, or a part of it; it never touches an "
        "open journey"
    ),
    "sure": "sure: it opens a journey in {0}, or moves an open one to {0}",
}
_STDIN = "-"
_SPELLED = re.compile(r"[_:]|[a-z][A-Z]")  # names of events are spelled so, and searches are not


def explain_command(
    ctx: typer.Context,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="[TEXT|FILE]",
            callback=checked_text,
            help=(
                "The words of a search, the name of an event, the path of a page, or a record as JSON; with "
                "--jsonl, a file of lines (- or nothing: standard input); with --unknown, a file, or a "
                "directory, of events."
            ),
            show_default=False,
        ),
    ] = None,
    *,
    rules: RulesOption = None,
    locale: Annotated[
        str | None,
        typer.Option(
            metavar="TAG",
            callback=checked_text,
            help="The language of a search, such as it or en-GB. Without it, its words alone tell it.",
        ),
    ] = None,
    search: Annotated[
        bool, typer.Option("--search", help="Read the text as a search, even if an event has that name.")
    ] = False,
    event: Annotated[
        bool, typer.Option("--event", help="Read the text as the name of an event, even if no rule knows it.")
    ] = False,
    page: Annotated[
        bool, typer.Option("--page", help="Read the text as the path or address of a page.")
    ] = False,
    jsonl: Annotated[
        bool,
        typer.Option(
            "--jsonl",
            help=(
                'Explain lines, one JSON line each: records of any format, {"text": QUERY, "locale": "it"}, '
                '{"event": NAME} or {"page": PATH}.'
            ),
        ),
    ] = False,
    unknown: Annotated[
        bool,
        typer.Option(
            "--unknown",
            help=(
                "List the names of events that no rule has: in a file, or in all that a data directory or an "
                "app has read. How often, what is read in them, and where one is."
            ),
        ),
    ] = False,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    source_format: FormatOption = None,
    columns: MapOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Shows how the rules read a search, an event's name, a page or a whole record, and the effect on a
    journey.

    A record is read as on its way in, whatever tool wrote it, and its repairs or its refusal are shown. A
    text that begins with / or is an address is read as a page, one that is the name of no known event as a
    search. It says as what the text was taken, in which language a search was read, and which rule would
    have answered next.
    """
    from streams.queries.explaining import Explainer
    from streams.runtime.parameters import door_of_settings

    asked_for = [name for name, given in (("search", search), ("event", event), ("page", page)) if given]
    if len(asked_for) > 1:
        raise ConfigError(f"{' and '.join(f'--{name}' for name in asked_for)}: give one of them")
    if unknown and (asked_for or jsonl or locale is not None):
        raise ConfigError(
            "--unknown: lists names, so --search, --event, --page, --jsonl and --locale say nothing"
        )
    for_unknown = (data_dir, kafka, app, source_format, columns, zone)
    if not unknown and any(option is not None for option in for_unknown):
        raise ConfigError("--data-dir, --kafka, --app, --format, --map and --zone: are for --unknown")
    settings = settings_of(ctx, rules=rules)
    loaded = rules_of(settings)
    if unknown:
        files = () if text is None else (Path(text),)
        wanted = WantedNames(files, source_format, columns, zone, LogFlags(data_dir, kafka, app))
        asyncio.run(list_unknown_names(ctx, settings, loaded, wanted, json=json))
        return
    explainer = Explainer(loaded, door_of_settings(settings))
    if jsonl:
        for line in _lines(text):
            emit_line(_encoded(_one_line(explainer.line(line))))
        return
    if text is None:
        raise ConfigError("give the words of a search, the name of an event or a record, or --jsonl")
    explained, taken = _read(explainer, text, locale, asked_for[0] if asked_for else "")
    reports = [_report(one) | {"taken": taken, "rules": loaded.version} for one in explained]
    if json:
        emit_line(_encoded(reports[0] if len(reports) == 1 else {"items": reports}))
        return
    from streams.cli.render.explain import render

    for one in reports:
        console().print(render(text, one))


def _lines(path: str | None) -> Iterator[bytes]:
    from streams.sources.files import Lines

    if path in (None, _STDIN):
        yield from sys.stdin.buffer
        return
    with Lines(Path(str(path))) as lines:
        yield from lines


def _read(
    explainer: "Explainer", text: str, locale: str | None, asked_for: str
) -> "tuple[tuple[ExplainedEvent, ...], str]":
    """What a text is read as, and why as that."""
    if asked_for == "search":
        return (explainer.search(text, locale),), "as a search, as asked"
    if asked_for == "event":
        return (explainer.event_name(text),), "as an event's name, as asked"
    if asked_for == "page":
        return (explainer.page(text),), "as a page, as asked"
    if text.lstrip()[:1] in ("{", "["):
        return explainer.line(text.encode()), "as a record, since it is JSON"
    if text.startswith("/") or "://" in text:
        return (explainer.page(text),), "as a page, since it is a path or an address"
    named, searched = explainer.event_name(text), explainer.search(text, locale)
    if not _is_name(named, text):
        return (searched,), "as a search: as an event's name no rule reads it"
    other = _rule_of(searched)
    as_search = f"rule {other} would read it" if other is not None else "no rule reads it"
    by_words = getattr(named.found, "evidence", None) == "words"
    how = "as an event's name, by its words" if by_words else "as an event's name, which a rule knows"
    return (named,), f"{how}; as a search {as_search}"


def _rule_of(explained: "ExplainedEvent") -> str | None:
    return getattr(explained.found, "rule", None)


def _is_name(explained: "ExplainedEvent", text: str) -> bool:
    """True for a name that a rule has. What is read by its words must look like a name: people search for
    words, too.
    """
    if _rule_of(explained) is None:
        return False
    return getattr(explained.found, "evidence", None) != "words" or _SPELLED.search(text) is not None


def _one_line(explained: "tuple[ExplainedEvent, ...]") -> dict[str, Any]:
    from streams.queries.explaining import report

    items = [report(one) for one in explained]
    return items[0] if len(items) == 1 else {"items": items}


def _report(explained: "ExplainedEvent") -> dict[str, Any]:
    """The explanation with what it means, for people and machines."""
    from streams.core.ingest.event import Rejection
    from streams.queries.explaining import report

    found = explained.found
    if found is None:
        meaning = "a record that holds no event: it counts as no signal"
    elif isinstance(found, Rejection):
        meaning = f"rejected ({found.reason.value}: {found.reason.about}): {found.detail}"
    elif explained.event is not None and (apart := explained.event.apart) is not None:
        meaning = f"counted apart ({apart.value}: {apart.about}): it says nothing"
    else:
        meaning = _meaning(found)
        if explained.read_as == "event name" and found.rule is None:
            meaning = f"no rule knows an event of this name; {meaning}"
    fields = {"read_as": explained.read_as} | report(explained)
    if explained.event is not None:
        fields["clock_error_s"] = _seconds(explained.event.clock_error_ms)
        fields["filled_in"] = list(explained.filled_in)
    return fields | {"matched": getattr(found, "matched", ""), "meaning": meaning}


def _meaning(found: "Explanation") -> str:
    verdict = found.verdict
    if verdict is None:
        return MEANINGS["unread" if found.rule is None else "none"]
    if not verdict.sure:
        return MEANINGS["query truth" if found.moment == "truth" else "unsure"]
    return MEANINGS[found.moment if found.moment in MEANINGS else "sure"].format(found.moment)


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _encoded(fields: Mapping[str, Any]) -> bytes:
    import orjson

    return orjson.dumps(fields)
