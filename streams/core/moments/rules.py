"""Loads rules: puts a user's and the shipped ones together, and names exactly this content by a version.

A verdict must be explainable years later. So the version is a hash of the content, which nobody has to
remember to raise, and `text` is that content, whole: what a file extends is written out in it.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import TypeVar

import msgspec

from streams.core.moments import canonical, spec
from streams.core.moments.language import terms
from streams.core.moments.lines import Mistake, Spot, line_of
from streams.core.moments.parse import MAX_LEXICONS, RuleFile, parse
from streams.core.moments.verdict import RuleInfo
from streams.errors import ConfigError

# The shipped rules: the files of the folder `shipped`, joined. Languages are tried in this order.
_SHIPPED = ("rules", "events", "grammar", "pages", "cues", "queries", "en", "it", "es")
MAX_RULES = 4096  # the number of a rule is stored with each signal, and has to stay small


class Rules(msgspec.Struct, frozen=True):
    """Checked rules. `Verdict.rule` is an index into `rules`."""

    version: str  # <name>-<8 hex digits of the content's hash>
    rules: tuple[RuleInfo, ...]
    text: str  # the whole content as TOML; `load_rules(text)` makes equal Rules
    content: spec.RuleSet


def load_rules(text: str, *, base: Rules | None = None, orders: spec.Words | None = None) -> Rules:
    """Makes rules from a file's text. Raises ConfigError, which names the line.

    A file that `extends` builds on `base`, by default on the shipped rules. `orders`: the paths of an order's
    id, which no file of a user says; None for stored rules, whose text has them.
    """
    try:
        file = parse(text)
        if orders is not None:
            file = _with_orders(file, orders)
        whole = _merge(file, shipped_text() if base is None else base.text)
        _check(whole)
        _check_languages(file.rules, whole)
        rules = _in_force(whole, file.profiles)
    except Mistake as mistake:
        raise ConfigError(f"line {line_of(text, mistake.spot)}: {mistake}") from None
    return _finish(rules)


@lru_cache(2)
def default_rules(orders: spec.Words = spec.ORDER_PATHS) -> Rules:
    """The shipped rules. `orders`: the paths of an order's id."""
    return load_rules(shipped_text(), orders=orders)


def shipped_text() -> str:
    """The shipped rules as one text."""
    folder = resources.files("streams.core.moments") / "shipped"
    return "\n".join((folder / f"{name}.toml").read_text("utf-8") for name in _SHIPPED)


def _with_orders(file: RuleFile, orders: spec.Words) -> RuleFile:
    """A file's rules with the paths of an order's id. They have one source, or journeys and rules would
    number orders differently.
    """
    if "order" in file.read:
        raise Mistake(
            f"[read]: order = {list(file.rules.read.order)}: the setting `order_id` says where an order's id "
            "sits: leave the key out",
            Spot(table="read", key="order"),
        )
    read = msgspec.structs.replace(file.rules.read, order=orders)
    rules = msgspec.structs.replace(file.rules, read=read)
    return msgspec.structs.replace(file, rules=rules, read=file.read | {"order"})


def _merge(file: RuleFile, base: str) -> spec.RuleSet:
    """The rules of a file with those that it extends, of all profiles. `base`: their text."""
    own = file.rules
    if file.extends is None:
        return own
    inherited = parse(base).rules
    names = {rule.name for rule in inherited.all}
    for name in file.off:
        if name not in names:
            raise Mistake(
                f'off = "{name}": no such rule to switch off (there are: {", ".join(sorted(names))})',
                Spot(key="off", value=name),
            )
    off = set(file.off)
    read = {
        key: getattr(own.read if key in file.read else inherited.read, key)
        for key in spec.ReadTable.__struct_fields__
    }
    events = own.events + tuple(rule for rule in inherited.events if rule.name not in off)
    # Whoever switches a rule off wants its names to say nothing, not to be guessed.
    silenced = tuple(name for rule in inherited.events if rule.name in off for name in rule.names)
    grammar = own.grammar + tuple(rule for rule in inherited.grammar if rule.name not in off)
    queries = tuple(rule for rule in inherited.queries if rule.name not in off)
    if any(rule.otherwise for rule in own.queries):
        queries = tuple(rule for rule in queries if not rule.otherwise)
    pages = own.pages + tuple(rule for rule in inherited.pages if rule.name not in off)
    cues = own.cues + tuple(rule for rule in inherited.cues if rule.name not in off)
    merged = spec.RuleSet(
        own.name,
        spec.ReadTable(**read),
        events=events,
        grammar=grammar,
        queries=own.queries + queries,
        pages=pages,
        cues=cues,
        unguessed=tuple(dict.fromkeys((*own.unguessed, *inherited.unguessed, *silenced))),
    )
    # Words that only switched-off rules used go with them.
    used, in_names = _used(merged), _used_in_names(merged)
    kept = tuple(lexicon for lexicon in inherited.lexicons if lexicon.name in used)
    kept_in_names = tuple(words for words in inherited.vocabulary if words.name in in_names)
    return msgspec.structs.replace(
        merged,
        lexicons=_lexicons(kept, own.lexicons),
        vocabulary=_lexicons(kept_in_names, own.vocabulary),
    )


Rule = TypeVar("Rule", bound=spec.AnyRule)


def _in_force(whole: spec.RuleSet, profiles: spec.Words) -> spec.RuleSet:
    """The rules that hold always and those of the profiles, with the words that they use."""
    there = {rule.profile for rule in whole.all} - {""}
    for profile in profiles:
        if profile not in there:
            raise Mistake(
                f'profiles = "{profile}": no rule has this profile (there are: '
                f"{', '.join(sorted(there)) or 'none'})",
                Spot(key="profiles", value=profile),
            )

    def holding(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(
            msgspec.structs.replace(rule, profile="")
            for rule in rules
            if not rule.profile or rule.profile in profiles
        )

    rules = msgspec.structs.replace(
        whole,
        events=holding(whole.events),
        grammar=holding(whole.grammar),
        queries=holding(whole.queries),
        pages=holding(whole.pages),
        cues=holding(whole.cues),
    )
    used, in_names = _used(rules), _used_in_names(rules)
    return msgspec.structs.replace(
        rules,
        lexicons=tuple(lexicon for lexicon in whole.lexicons if lexicon.name in used),
        vocabulary=tuple(words for words in whole.vocabulary if words.name in in_names),
    )


def _used(rules: spec.RuleSet) -> set[str]:
    """The names of the lexicons that something reads."""
    named = {name for rule in rules.with_clauses for clause in rule.any for name in terms(clause)}
    return named | {*rules.read.polite, spec.FUNCTION_WORDS, spec.PLAIN_WORDS}


def _used_in_names(rules: spec.RuleSet) -> set[str]:
    """The names of the vocabularies that something reads."""
    return {name for guess in rules.grammar for clause in guess.any for name in terms(clause)} | {
        *rules.read.noise
    }


def _lexicons(inherited: tuple[spec.Lexicon, ...], own: tuple[spec.Lexicon, ...]) -> tuple[spec.Lexicon, ...]:
    """Adds a file's phrases to the lexicons of their names. A new language comes after the others.

    Lexicons that a language does not have are empty in it.
    """
    phrases: dict[str, dict[str, dict[str, None]]] = {}
    for lexicon in (*inherited, *own):
        phrases.setdefault(lexicon.language, {}).setdefault(lexicon.name, {}).update(
            dict.fromkeys(lexicon.phrases)
        )
    for name in dict.fromkeys(lexicon.name for lexicon in (*inherited, *own)):
        for names in phrases.values():
            names.setdefault(name, {})
    return tuple(
        spec.Lexicon(language, name, tuple(words))
        for language, names in phrases.items()
        for name, words in names.items()
    )


def _check_languages(own: spec.RuleSet, whole: spec.RuleSet) -> None:
    """Checks that each lexicon and vocabulary of a file has the languages of the file, be it with no
    words.
    """
    for kind, given, there in (
        ("lexicon", own.lexicons, whole.lexicons),
        ("vocabulary", own.vocabulary, whole.vocabulary),
    ):
        has = {(words.language, words.name) for words in given}
        has |= {(words.language, words.name) for words in there if words.phrases}
        for language in dict.fromkeys(words.language for words in given):
            for words in given:
                if (language, words.name) not in has:
                    raise Mistake(
                        f"[{kind}.{language}]: {words.name} = (missing): [{kind}.{words.language}] has it; "
                        f"give its words in this language, too, or {words.name} = [] if there are none",
                        Spot(table=f"{kind}.{language}"),
                    )


def _finish(rules: spec.RuleSet) -> Rules:
    if not rules.all:
        raise ConfigError(
            "rules: there are none: write at least one [[event]], [[grammar]], [[query]], [[page]] or "
            "[[cue]] without a profile, or of one that is on"
        )
    text = canonical.to_toml(rules)
    version = f"{rules.name}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"
    return Rules(version, tuple(RuleInfo(rule.name, rule.confidence) for rule in rules.all), text, rules)


def _check(rules: spec.RuleSet) -> None:
    """Checks what only the whole shows."""
    if len(rules.all) > MAX_RULES:
        raise ConfigError(f"rules: {len(rules.all)} of them: at most {MAX_RULES}")
    seen: set[str] = set()
    for each in rules.all:
        if each.name in seen:
            raise Mistake(
                f'rule "{each.name}": name = "{each.name}": another rule has it; '
                "to replace a default rule, switch that `off`",
                Spot(rule=each.name, key="name"),
            )
        seen.add(each.name)
    last_resorts = [rule.name for rule in rules.queries if rule.otherwise]
    if len(last_resorts) > 1:
        raise Mistake(
            f"[[query]]: otherwise = true: only one rule can be the last resort: {' or '.join(last_resorts)}",
            Spot(rule=last_resorts[1], key="otherwise"),
        )
    _check_words("lexicon", rules.with_clauses, rules.lexicons, ("polite", rules.read.polite), _used(rules))
    noise = "noise", rules.read.noise
    _check_words("vocabulary", rules.grammar, rules.vocabulary, noise, _used_in_names(rules))
    if rules.queries and not (rules.read.query or rules.read.url):
        raise Mistake(
            "[read]: query = (missing): query rules need to know where the text sits, "
            'such as ["properties.query"]',
            Spot(table="read"),
        )
    if rules.pages and not rules.read.page:
        raise Mistake(
            "[read]: page = (missing): page rules need to know where the path sits, "
            'such as ["context.page.path", "properties.url"]',
            Spot(table="read"),
        )
    if bool(rules.read.url) != bool(rules.read.url_params):
        raise Mistake(
            "[read]: url, url_params: one makes no sense without the other: "
            'url = ["context.page.search"], url_params = ["q"]',
            Spot(table="read"),
        )


def _check_words(
    kind: str,
    rules: Sequence[spec.QueryRule | spec.PageRule | spec.GrammarRule],
    lexicons: Sequence[spec.Lexicon],
    read: tuple[str, spec.Words],
    used: set[str],
) -> None:
    """Checks that rules and the table `[read]` name lists of words that are there, and that no list is
    idle.
    """
    have = {lexicon.name for lexicon in lexicons}
    for rule in rules:
        for name in (name for clause in rule.any for name in terms(clause)):
            if name not in have:
                there = ", ".join(sorted(have)) or "none"
                raise Mistake(
                    f'rule "{rule.name}": any: "{name}" is no {kind} in any language (there are: {there})',
                    Spot(rule=rule.name, key="any", value=name),
                )
    for name in read[1]:
        if name not in have:
            raise Mistake(
                f'[read]: {read[0]} = "{name}": no {kind} in any language has this name',
                Spot(table="read", key=read[0], value=name),
            )
    if len(used) > MAX_LEXICONS:
        raise ConfigError(f"[{kind}]: {len(used)} names are in use: at most {MAX_LEXICONS}")
    idle = "no query rule uses it, and no page rule" if kind == "lexicon" else "no grammar rule uses it"
    for lexicon in lexicons:
        if lexicon.name not in used:
            raise Mistake(
                f"[{kind}.{lexicon.language}]: {lexicon.name}: {idle} (used: {', '.join(sorted(used))})",
                Spot(table=f"{kind}.{lexicon.language}", key=lexicon.name),
            )
