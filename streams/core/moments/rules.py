"""Loads rules: puts a user's and the shipped ones together, and names exactly this content by a version.

A verdict must be explainable years later. So the version is a hash of the content, which nobody has to
remember to raise, and `text` is that content, whole: what a file extends is written out in it.
"""

import hashlib
from importlib import resources

import msgspec

from streams.core.moments import canonical, spec
from streams.core.moments.parse import MAX_LEXICONS, RuleFile, parse
from streams.core.moments.query import terms
from streams.core.moments.verdict import RuleInfo
from streams.errors import ConfigError

# The shipped rules: the files of the folder `shipped`, joined. Languages are tried in this order.
_SHIPPED = ("rules", "events", "pages", "cues", "queries", "en", "it", "es")
MAX_RULES = 4096  # the number of a rule is stored with each signal, and has to stay small


class Rules(msgspec.Struct, frozen=True):
    """Checked rules. `Verdict.rule` is an index into `rules`."""

    version: str  # <name>-<8 hex digits of the content's hash>
    rules: tuple[RuleInfo, ...]
    text: str  # the whole content as TOML; `load_rules(text)` makes equal Rules
    content: spec.RuleSet


def load_rules(text: str, *, base: Rules | None = None) -> Rules:
    """Makes rules from a file's text. Raises ConfigError.

    A file that `extends` builds on `base`, by default on the shipped rules.
    """
    return _finish(_merge(parse(text), base))


def default_rules() -> Rules:
    """The shipped rules."""
    return load_rules(shipped_text())


def shipped_text() -> str:
    """The shipped rules as one text."""
    folder = resources.files("streams.core.moments") / "shipped"
    return "\n".join((folder / f"{name}.toml").read_text("utf-8") for name in _SHIPPED)


def _merge(file: RuleFile, base: Rules | None) -> spec.RuleSet:
    own = file.rules
    if file.extends is None:
        return own
    inherited = (base or default_rules()).content
    names = {rule.name for rule in inherited.all}
    for name in file.off:
        if name not in names:
            raise ConfigError(
                f'off = "{name}": no such rule to switch off (there are: {", ".join(sorted(names))})'
            )
    off = set(file.off)
    read = {
        key: getattr(own.read if key in file.read else inherited.read, key)
        for key in spec.ReadTable.__struct_fields__
    }
    events = own.events + tuple(rule for rule in inherited.events if rule.name not in off)
    queries = tuple(rule for rule in inherited.queries if rule.name not in off)
    if any(rule.otherwise for rule in own.queries):
        queries = tuple(rule for rule in queries if not rule.otherwise)
    pages = own.pages + tuple(rule for rule in inherited.pages if rule.name not in off)
    cues = own.cues + tuple(rule for rule in inherited.cues if rule.name not in off)
    used = {name for query in (*own.queries, *queries) for clause in query.any for name in terms(clause)}
    used |= set(read["polite"])
    # A lexicon that only switched-off rules used goes with them.
    kept = tuple(lexicon for lexicon in inherited.lexicons if lexicon.name in used)
    return spec.RuleSet(
        own.name,
        spec.ReadTable(**read),
        events=events,
        queries=own.queries + queries,
        pages=pages,
        cues=cues,
        lexicons=_lexicons(kept, own.lexicons),
    )


def _lexicons(inherited: tuple[spec.Lexicon, ...], own: tuple[spec.Lexicon, ...]) -> tuple[spec.Lexicon, ...]:
    """Adds a file's phrases to the lexicons of their names. A new language comes after the others."""
    phrases: dict[str, dict[str, dict[str, None]]] = {}
    for lexicon in (*inherited, *own):
        phrases.setdefault(lexicon.language, {}).setdefault(lexicon.name, {}).update(
            dict.fromkeys(lexicon.phrases)
        )
    return tuple(
        spec.Lexicon(language, name, tuple(words))
        for language, names in phrases.items()
        for name, words in names.items()
    )


def _finish(rules: spec.RuleSet) -> Rules:
    _check(rules)
    text = canonical.to_toml(rules)
    version = f"{rules.name}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"
    return Rules(version, tuple(RuleInfo(rule.name, rule.confidence) for rule in rules.all), text, rules)


def _check(rules: spec.RuleSet) -> None:
    """Checks what only the whole shows."""
    if not rules.all:
        raise ConfigError(
            "rules: there are none: write at least one [[event]], [[query]], [[page]] or [[cue]]"
        )
    if len(rules.all) > MAX_RULES:
        raise ConfigError(f"rules: {len(rules.all)} of them: at most {MAX_RULES}")
    seen: set[str] = set()
    for rule in rules.all:
        if rule.name in seen:
            raise ConfigError(
                f'rule "{rule.name}": name = "{rule.name}": another rule has it; '
                "to replace a default rule, switch that `off`"
            )
        seen.add(rule.name)
    if sum(rule.otherwise for rule in rules.queries) > 1:
        raise ConfigError("[[query]]: otherwise = true: only one rule can be the last resort")
    have = {lexicon.name for lexicon in rules.lexicons}
    used = set(rules.read.polite)
    for query in rules.queries:
        for name in (name for clause in query.any for name in terms(clause)):
            used.add(name)
            if name not in have:
                there = ", ".join(sorted(have)) or "none"
                raise ConfigError(
                    f'rule "{query.name}": any: "{name}" is no lexicon in any language (there are: {there})'
                )
    for name in rules.read.polite:
        if name not in have:
            raise ConfigError(f'[read]: polite = "{name}": no lexicon in any language has this name')
    if len(used) > MAX_LEXICONS:
        raise ConfigError(f"[lexicon]: {len(used)} names are in use: at most {MAX_LEXICONS}")
    for lexicon in rules.lexicons:
        if lexicon.name not in used:
            raise ConfigError(
                f"[lexicon.{lexicon.language}]: {lexicon.name}: no query rule uses it "
                f"(used: {', '.join(sorted(used))})"
            )
    if rules.queries and not (rules.read.query or rules.read.url):
        raise ConfigError(
            "[read]: query = (missing): query rules need to know where the text sits, "
            'such as ["properties.query"]'
        )
    if rules.pages and not rules.read.page:
        raise ConfigError(
            "[read]: page = (missing): page rules need to know where the path sits, "
            'such as ["context.page.path", "properties.url"]'
        )
    if bool(rules.read.url) != bool(rules.read.url_params):
        raise ConfigError(
            "[read]: url, url_params: one makes no sense without the other: "
            'url = ["context.page.search"], url_params = ["q"]'
        )
