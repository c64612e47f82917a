"""Texts in which fields of a transition are filled in, so that a post has the form that its receiver wants:

    {"text": "$profile stalled in $from", "device": "${dimensions.device}"}

A value stands between the quotes of a JSON text and is escaped for that place, so no value can change the
form of the post. What a transition does not have is empty, a list is joined by commas, and `$$` is a dollar.
"""

import json
from collections.abc import Iterator, Mapping
from re import RegexFlag
from string import Template
from typing import Any

import msgspec

from schemas import Transition

_FIELDS = tuple(field.encode_name for field in msgspec.structs.fields(Transition))
DIMENSION_FIELDS = ("dimensions", "opened_dimensions")  # these have a value for each dimension
TRICKY = '"\\\n'  # a value that breaks whatever does not escape it


class _Fields(Template):
    """`$name` and `${name}`; a dimension is `${dimensions.name}`."""

    idpattern = "[a-z][a-z0-9_]*"
    braceidpattern = r"[a-z][a-zA-Z0-9_.-]*"
    flags = RegexFlag(0)  # names are written as they are


class BodyTemplate:
    """The body of a post."""

    def __init__(self, text: str) -> None:
        """Raises ValueError, with what would be right."""
        self._template = _Fields(text)
        if not self._template.is_valid():
            raise ValueError("has a $ that begins no field: write $name or ${name}, and $$ for a dollar")
        self.names = self._template.get_identifiers()
        for name in self.names:
            table, _, dimension = name.partition(".")
            if name not in _PLAIN and not (table in DIMENSION_FIELDS and dimension):
                raise ValueError(
                    f"has no field {name}: write one of {', '.join(_PLAIN)}, or ${{dimensions.device}} and "
                    "${opened_dimensions.device} for those and other dimensions"
                )
        for value in (TRICKY, ""):
            self._check(dict.fromkeys(self.names, value))

    def _check(self, values: Mapping[str, str]) -> None:
        body = self._template.substitute({name: _escaped(value) for name, value in values.items()})
        try:
            json.loads(body)
        except ValueError as error:
            raise ValueError(
                f"is no JSON once it is filled in ({error}): write JSON with each field within the quotes of "
                'a text, as in {"text": "$profile stalled in $from"}'
            ) from None

    @property
    def dimensions(self) -> Iterator[str]:
        """The dimensions that it names."""
        return (name.partition(".")[2] for name in self.names if "." in name)

    def body(self, step: Transition) -> bytes:
        """The post for a transition."""
        fields = msgspec.to_builtins(step)
        return self._template.substitute(
            {name: _escaped(_text(_value(fields, name))) for name in self.names}
        ).encode()


_PLAIN = tuple(name for name in _FIELDS if name not in DIMENSION_FIELDS)


def _value(fields: Mapping[str, Any], name: str) -> object:
    table, _, dimension = name.partition(".")
    return fields[table].get(dimension) if dimension else fields.get(name)  # few steps have an amount


def _text(value: object) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _escaped(text: str) -> str:
    """As it stands between the quotes of a JSON text."""
    return json.dumps(text)[1:-1]
