"""What of a schema's change breaks a consumer that was written for the schema before.

We produce, others read. So a change is breaking when something that may now be published was not allowed
before (fields that were not known then are left aside), or when a field that could be relied on is gone. A
field more is not; nor is it to publish less of what was allowed.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

WORDS = {
    "$schema",
    "$id",
    "title",
    "description",
    "default",
    "$defs",
}  # say nothing of what is allowed; `default` is looked at with its field
READ = {
    "$ref",
    "anyOf",
    "enum",
    "const",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "prefixItems",
}
SAME = ("pattern", "format", "patternProperties")  # one can't tell which of two is narrower
LOWER, UPPER = ("minimum", "minItems"), ("maximum", "maxItems")
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def breaking(old: Schema, new: Schema) -> list[str]:
    """One line per change that breaks; none: every new record is an old one, with fields more."""
    return _problems(list(_alternatives(old, old)), list(_alternatives(new, new)), old, new, "the record")


def _alternatives(node: Schema, root: Schema) -> Iterator[Schema]:
    """The node as alternatives without references, enums or choices."""
    unknown = node.keys() - WORDS - READ - {*SAME, *LOWER, *UPPER}
    assert not unknown, (
        f"{unknown}: what a change of it breaks must be said in tests/schemas/breaking.py first"
    )
    if "$ref" in node:
        yield from _alternatives(root["$defs"][node["$ref"].removeprefix("#/$defs/")], root)
    elif "anyOf" in node:
        for member in node["anyOf"]:
            yield from _alternatives(member, root)
    elif "enum" in node:
        yield from ({"const": value} for value in node["enum"])
    else:
        yield node


def _problems(old: list[Schema], new: list[Schema], old_root: Schema, new_root: Schema, at: str) -> list[str]:
    """Each new alternative has to be within one of the old; of several that it
    is not within the nearest is told about.
    """
    out: list[str] = []
    for now in new:
        nearest = min((_within(was, now, old_root, new_root, at) for was in old), key=len)
        out += nearest
    return out


def _within(was: Schema, now: Schema, old_root: Schema, new_root: Schema, at: str) -> list[str]:
    if "const" in now:
        allowed = (
            was["const"] == now["const"]
            if "const" in was
            else "type" not in was or type(now["const"]) in TYPES.get(was["type"], ())
        )
        return [] if allowed else [f"{at} may now be {now['const']!r}"]
    if "const" in was:
        return [f"{at} may now be any {now.get('type', 'value')}"]
    if (
        "type" in was
        and was["type"] != now.get("type")
        and (was["type"], now.get("type")) != ("number", "integer")
    ):
        return [f"{at} may now be of type {now.get('type', 'any')}, no longer only {was['type']}"]
    out = [
        f"{at}: {word} is now {now.get(word)}, was {was[word]}"
        for word in SAME
        if word in was and was[word] != now.get(word)
    ]
    out += [
        f"{at}: {word} is now {now.get(word)}, was {was[word]}"
        for word in LOWER
        if word in was and now.get(word, float("-inf")) < was[word]
    ]
    out += [
        f"{at}: {word} is now {now.get(word)}, was {was[word]}"
        for word in UPPER
        if word in was and now.get(word, float("inf")) > was[word]
    ]

    def inner(below: Any, above: Any, where: str) -> list[str]:
        if not isinstance(below, dict):
            return [] if below in (None, True) or below == above else [f"{where} may now be there"]
        if not isinstance(above, dict):
            return [] if above is False else [f"{where} may now be anything"]
        return _problems(
            list(_alternatives(below, old_root)),
            list(_alternatives(above, new_root)),
            old_root,
            new_root,
            where,
        )

    out += _fields(was, now, inner, at)
    if was.get("type") == "object":
        out += inner(was.get("additionalProperties"), now.get("additionalProperties"), f"a value in {at}")
    if was.get("type") == "array":
        out += inner(was.get("items"), now.get("items"), f"an item of {at}")
        pairs = zip(
            was.get("prefixItems", []),
            [*now.get("prefixItems", []), *[now.get("items")] * len(was.get("prefixItems", []))],
            strict=False,
        )
        out += [
            line
            for n, (below, above) in enumerate(pairs)
            for line in inner(below, above, f"item {n} of {at}")
        ]
    return out


def _fields(was: Schema, now: Schema, inner: Any, at: str) -> list[str]:
    out = []
    for name, field in was.get("properties", {}).items():
        there = now.get("properties", {}).get(name)
        where = f"`{name}`" if at == "the record" else f"{at}.`{name}`"
        if there is None:
            out.append(f"{where} is gone")
            continue
        out += inner(field, there, where)
        if name in was.get("required", ()) and name not in now.get("required", ()):
            out.append(f"{where} may now be missing")
        elif name not in was.get("required", ()) and field.get("default") != there.get("default"):
            out.append(f"{where}: missing now means {there.get('default')!r}, meant {field.get('default')!r}")
    return out
