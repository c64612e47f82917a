"""Writes a RuleSet as TOML, always one text for equal rules.

The text is stored, and its hash is the rules' version. Comments and the layout of the file are gone; whatever
could change a verdict is there.
"""

import json
from collections.abc import Iterable

from streams.core.moments import spec


def to_toml(rules: spec.RuleSet) -> str:
    """The whole content. Parsing it gives equal rules with equal numbers."""
    lines = [f"name = {_text(rules.name)}"]
    if rules.unguessed:
        lines.append(f"unguessed = {_list(rules.unguessed)}")
    lines += ["", "[read]"]
    lines += [
        f"{key} = {_list(words)}"
        for key in spec.ReadTable.__struct_fields__
        if (words := getattr(rules.read, key))
    ]
    for event in rules.events:
        lines += ["", "[[event]]", *_head(event)]
        lines += [
            f"{key} = {_list(words)}"
            for key, words in (("names", event.names), ("yields_to", event.yields_to))
            if words
        ]
        if event.types != spec.NAMED_TYPES or not event.names:
            lines.append(f"types = {_list(event.types)}")
        if event.where is not None:
            lines.append(f"where = {_condition(event.where)}")
        if event.view:
            lines.append("view = true")
        if event.update:
            lines.append("update = true")
    for guess in rules.grammar:
        lines += ["", "[[grammar]]", *_head(guess), f"any = {_list(guess.any)}"]
        if guess.yields_to:
            lines.append(f"yields_to = {_list(guess.yields_to)}")
        lines += [f"{key} = true" for key in ("view", "order") if getattr(guess, key)]
    for query in rules.queries:
        lines += [
            "",
            "[[query]]",
            *_head(query),
            "otherwise = true" if query.otherwise else f"any = {_list(query.any)}",
        ]
    for page in rules.pages:
        lines += ["", "[[page]]", *_head(page)]
        lines += [
            f"{key} = {_list(words)}" for key, words in (("paths", page.paths), ("any", page.any)) if words
        ]
        if page.where is not None:
            lines.append(f"where = {_condition(page.where)}")
        lines += [f"{key} = true" for key in ("views_only", "otherwise") if getattr(page, key)]
    for cue in rules.cues:
        lines += ["", "[[cue]]", f"name = {_text(cue.name)}", f"cue = {_text(cue.cue)}"]
        if cue.names:
            lines.append(f"names = {_list(cue.names)}")
        if cue.types != spec.NAMED_TYPES or not cue.names:
            lines.append(f"types = {_list(cue.types)}")
        if cue.where is not None:
            lines.append(f"where = {_condition(cue.where)}")
    for kind, lexicons in (("lexicon", rules.lexicons), ("vocabulary", rules.vocabulary)):
        language = None
        for lexicon in lexicons:
            if lexicon.language != language:
                language = lexicon.language
                lines += ["", f"[{kind}.{language}]"]
            lines.append(f"{_text(lexicon.name)} = {_list(lexicon.phrases)}")
    return "\n".join(lines) + "\n"


def _head(rule: spec.AnyRule) -> list[str]:
    return [
        f"name = {_text(rule.name)}",
        f"moment = {_text(rule.moment)}",
        f"confidence = {rule.confidence!r}",
    ]


def _condition(where: spec.Condition) -> str:
    lists = {"is": where.is_, "starts_with": where.starts_with, "contains": where.contains}
    tests = [f"{key} = {_list(words)}" for key, words in lists.items() if words]
    if where.is_id:
        tests.append("is_id = true")
    if where.exists is not None:
        tests.append(f"exists = {str(where.exists).lower()}")
    if where.above is not None:
        tests.append(f"above = {where.above!r}")
    path = _text(where.paths[0]) if len(where.paths) == 1 else _list(where.paths)
    return "{ " + ", ".join([f"path = {path}", *tests]) + " }"


def _list(words: Iterable[str]) -> str:
    return "[" + ", ".join(map(_text, words)) + "]"


def _text(text: str) -> str:
    if text.isascii() and text.replace(" ", "").isalnum():
        return f'"{text}"'  # as most are: nothing in it is to be escaped
    # JSON's escapes are TOML's too. Only DEL has to be escaped besides: JSON leaves it bare.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
