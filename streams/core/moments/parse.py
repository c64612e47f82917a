"""Reads a RuleSet from TOML.

A mistake shows when the file is loaded, not in a month's funnel. Each error names the rule, the key and the
value, and says what would be right.
"""

import tomllib
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from streams.core.ingest.event import EVENT_TYPES
from streams.core.moments import spec
from streams.core.moments.addresses import MAX_SEGMENTS
from streams.core.moments.globs import ORDER_SEGMENT, expand_glob, glob_segments
from streams.core.moments.language import terms
from streams.core.moments.lexicons import read_lexicons
from streams.core.moments.lines import Spot
from streams.core.moments.parse_condition import is_path, read_condition
from streams.core.moments.table_reader import NAME, TableReader
from streams.core.moments.verdict import CUE_NAMES
from streams.core.moments.words import fold_name
from streams.errors import ConfigError

MAX_TEXT_CHARS = 2_000_000  # people write rules files; the shipped one has 70,000 characters
MAX_LEXICONS = 240  # names over all languages: each is a bit or three of one integer, which has to stay small
R = TypeVar("R")


class RuleFile(msgspec.Struct, frozen=True):
    """A single file: what it adds, and what it changes in the rules that it extends."""

    rules: spec.RuleSet
    extends: str | None
    off: spec.Words
    profiles: spec.Words  # those whose rules hold
    read: frozenset[str]  # the keys of [read] that the file sets


def parse(text: str) -> RuleFile:
    """Reads one rules file. Raises ConfigError.

    What spans files (names of lexicons, rules that are switched off) is checked where files are put together.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise ConfigError(f"rules: {len(text)} characters: at most {MAX_TEXT_CHARS}")
    try:
        top = TableReader("", tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"rules: not valid TOML: {error}") from None
    name = top.text("name", "custom")
    if not NAME.fullmatch(name):
        raise top.wrong("name", "must be 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit")
    extends = top.text("extends", "") or None
    if extends not in (None, "default"):
        raise top.wrong("extends", 'can only be "default"; leave it out for rules that stand alone')
    off = top.words("off")
    if off and not extends:
        raise top.wrong("off", 'switches inherited rules off, so it needs extends = "default"')
    profiles = _profiles(top)
    read, given = _read_table(top.take("read"))
    rules = spec.RuleSet(
        name=name,
        read=read,
        events=tuple(_rule("event", n, data, _event) for n, data in enumerate(top.tables("event"), 1)),
        grammar=tuple(_rule("grammar", n, data, _grammar) for n, data in enumerate(top.tables("grammar"), 1)),
        queries=tuple(_rule("query", n, data, _query) for n, data in enumerate(top.tables("query"), 1)),
        pages=tuple(_rule("page", n, data, _page) for n, data in enumerate(top.tables("page"), 1)),
        cues=tuple(_cue(n, data) for n, data in enumerate(top.tables("cue"), 1)),
        lexicons=tuple(read_lexicons("lexicon", top.take("lexicon"))),
        vocabulary=tuple(read_lexicons("vocabulary", top.take("vocabulary"))),
        unguessed=top.words("unguessed"),
    )
    top.done()
    return RuleFile(rules, extends, off, profiles, given)


def _profiles(top: TableReader) -> spec.Words:
    profiles = top.words("profiles")
    for profile in profiles:
        if not NAME.fullmatch(profile):
            raise top.wrong("profiles", f'"{profile}" is no name of a profile, such as "assistant"', profile)
    return profiles


def _profile(table: TableReader) -> str:
    """The profile of a rule; "" if it holds always."""
    profile = table.text("profile", "")
    if "profile" in table.data and not NAME.fullmatch(profile):
        raise table.wrong("profile", 'must be the name of a profile, such as "assistant"')
    return profile


def _named_table(kind: str, number: int, data: Any) -> tuple[TableReader, str]:
    """The table of a rule, and the rule's name."""
    table = TableReader(f"[[{kind}]] number {number}", data, Spot(table=kind, number=number))
    name = table.text("name", "")
    if not NAME.fullmatch(name):
        raise table.wrong(
            "name", "every rule needs a name: 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit"
        )
    table.where = f'rule "{name}"'
    return table, name


def _rule(kind: str, number: int, data: Any, read: Callable[[TableReader, str, str, float], R]) -> R:
    table, name = _named_table(kind, number, data)
    moment = table.choice("moment", spec.RULE_MOMENTS)
    confidence = table.take("confidence")
    if confidence is None and moment == "none":
        confidence = 1.0
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 < confidence <= 1:
        raise table.wrong(
            "confidence", "must be a number above 0 and at most 1 (0.4 and less: a sign of life, no intent)"
        )
    rule = read(table, name, moment, float(confidence))
    table.done()
    return rule


def _event(table: TableReader, name: str, moment: str, confidence: float) -> spec.EventRule:
    names, types, condition = _which_events(table, name)
    yields_to, view = table.words("yields_to", (), spec.EVIDENCE), bool(table.flag("view"))
    if view and "page" not in yields_to:
        raise table.wrong("view", 'only makes a difference with yields_to = ["page"]')
    update = bool(table.flag("update"))
    if update and (moment != "truth" or yields_to):
        raise table.wrong("update", 'is for moment = "truth", without yields_to: an order that was edited')
    return spec.EventRule(
        name,
        moment,
        confidence,
        names=names,
        types=types,
        yields_to=yields_to,
        where=condition,
        view=view,
        update=update,
        profile=_profile(table),
    )


def _cue(number: int, data: Any) -> spec.CueRule:
    table, name = _named_table("cue", number, data)
    cue = table.choice("cue", CUE_NAMES)
    names, types, condition = _which_events(table, name)
    profile = _profile(table)
    table.done()
    return spec.CueRule(name, cue, names=names, types=types, where=condition, profile=profile)


def _which_events(table: TableReader, name: str) -> tuple[spec.Words, spec.Words, spec.Condition | None]:
    """(names, types, condition) of a rule that reads events by their names."""
    names = table.words("names")
    types = table.words("types", spec.NAMED_TYPES, EVENT_TYPES)
    if not names and "types" not in table.data:
        raise table.wrong(
            "names",
            'which events is it for? names = ["Product Viewed"], or types = ["identify"] for all of a type',
        )
    for each in names:
        if not fold_name(each):
            raise table.wrong("names", f'"{each}" has no letters or digits', each)
        if "*" in each:
            raise table.wrong("names", f'"{each}": names are compared whole: write each, without *', each)
    where = table.take("where")
    return names, types, read_condition(table, name) if where is not None else None


def _query(table: TableReader, name: str, moment: str, confidence: float) -> spec.QueryRule:
    if moment == "refund":
        raise table.wrong("moment", "a search is no refund; use truth for questions about an order")
    clauses, otherwise = _clauses(table), bool(table.flag("otherwise"))
    if bool(clauses) == otherwise:
        raise table.wrong(
            "any",
            'needs clauses, such as any = ["vendor near"], or otherwise = true for the last resort, not both',
        )
    return spec.QueryRule(
        name,
        moment,
        confidence,
        clauses,
        otherwise,
        _profile(table),
    )


def _grammar(table: TableReader, name: str, moment: str, confidence: float) -> spec.GrammarRule:
    clauses = _clauses(table, "vocabularies: cart added")
    if not clauses:
        raise table.wrong("any", 'which names is it for? any = ["cart added !sent"]')
    yields_to, view = table.words("yields_to", (), spec.EVIDENCE), bool(table.flag("view"))
    if view and "page" not in yields_to:
        raise table.wrong("view", 'only makes a difference with yields_to = ["page"]')
    order = bool(table.flag("order"))
    if moment in ("truth", "refund") and (not order or yields_to):
        raise table.wrong(
            "moment",
            "the words of a name are a guess, and a guess without an order is no purchase and no refund: "
            "it needs order = true, and no yields_to",
        )
    return spec.GrammarRule(
        name,
        moment,
        confidence,
        any=clauses,
        yields_to=yields_to,
        view=view,
        order=order,
        profile=_profile(table),
    )


def _clauses(table: TableReader, such_as: str = "lexicons: near vendor") -> spec.Words:
    """The clauses under `any`, each with single blanks."""
    clauses = table.words("any")
    for clause in clauses:
        bare = terms(clause)
        if not all(NAME.fullmatch(term) for term in bare) or all(
            term.startswith("!") for term in clause.split()
        ):
            raise table.wrong(
                "any",
                f'"{clause}" is no clause; write names of {such_as}, '
                "^first, =whole, !absent (not only absent ones)",
                clause,
            )
    return tuple(" ".join(clause.split()) for clause in clauses)


def _page(table: TableReader, name: str, moment: str, confidence: float) -> spec.PageRule:
    paths, clauses = table.words("paths"), _clauses(table)
    if not paths and not clauses:
        raise table.wrong(
            "paths",
            'which pages is it for? paths = ["**/cart/**"], or any = ["lexicon"] for words in the path',
        )
    for path in paths:
        _check_path(table, path)
    where = table.take("where")
    otherwise = bool(table.flag("otherwise"))
    for key in ("where", "otherwise"):
        if clauses and table.data.get(key):
            raise table.wrong(key, "is for rules with paths, not for those with any: make two rules of it")
    return spec.PageRule(
        name,
        moment,
        confidence,
        paths=paths,
        any=clauses,
        where=read_condition(table, name) if where is not None else None,
        views_only=bool(table.flag("views_only")),
        otherwise=otherwise,
        profile=_profile(table),
    )


def _check_path(table: TableReader, path: str) -> None:
    try:
        expand_glob(path)
    except ValueError as error:
        raise table.wrong("paths", f'"{path}" {error}', path) from None
    before, asks, query = path.partition("?")
    segments = glob_segments(before)
    if not path.startswith(("/", "*")) or "#" in path:
        raise table.wrong("paths", f'"{path}" must begin with / or * and have no #', path)
    pairs = [pair.partition("=") for pair in query.split("&")] if asks else []
    if not all(name.strip() and equals and value.strip() for name, equals, value in pairs):
        raise table.wrong(
            "paths", f'"{path}": behind ? stand parameters: ?name=value, ?name=*, joined with &', path
        )
    orders = segments.count(ORDER_SEGMENT) + sum(value == ORDER_SEGMENT for _, _, value in pairs)
    if orders > 1 or path.count("{") + path.count("}") != 2 * orders:
        raise table.wrong(
            "paths", f'"{path}": braces are for one segment or parameter alone: {ORDER_SEGMENT}', path
        )
    if len(segments) > MAX_SEGMENTS or any("**" in segment and segment != "**" for segment in segments):
        raise table.wrong(
            "paths",
            f'"{path}": ** stands alone between slashes, and there are at most {MAX_SEGMENTS} segments',
            path,
        )


def _read_table(data: Any) -> tuple[spec.ReadTable, frozenset[str]]:
    table = TableReader("[read]", {} if data is None else data, Spot(table="read"))
    read = spec.ReadTable(**{key: table.words(key) for key in spec.ReadTable.__struct_fields__})
    table.done()
    for key in ("query", "url", "page", "order", "order_time", "locale"):
        for path in getattr(read, key):
            if not is_path(path):
                raise table.wrong(key, f'"{path}" is no path into an event, such as properties.query', path)
    return read, frozenset(table.data)
