"""The dimensions by which counters are broken down: closed vocabularies with a visible `other`.

If the first values to come made the list, the counters would depend on arrival. Here a value is in the
settings or it is `other`, so a code means the same in every run; and since codes are few, a cell's key is
small.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import msgspec

from streams.core.funnels.context import BUILT_IN_DIMENSIONS
from streams.core.ingest.event import EVENT_FIELDS, Event, lookup
from streams.errors import ConfigError

OTHER = "other"
MAX_DIMENSION_CODES = 65_536  # a code is two bytes of each stored signal, and each may get its own cells
MAX_DIMENSION_VALUE_CHARS = 64  # longer values are free text, which no vocabulary holds
MAX_INT = 10**18  # larger numbers are no values: printing them costs more than they tell


class Dimension(msgspec.Struct, frozen=True):
    """A dimension. Values and aliases are compared without regard to case."""

    name: str
    values: tuple[str, ...]  # without `other`, which is always there
    path: str | None = None  # where events have it, as `lookup` reads it; None: one of BUILT_IN_DIMENSIONS
    aliases: Mapping[str, str] = {}  # a word in events -> the value that it means


DEVICE = Dimension(
    "device",
    ("mobile", "tablet", "desktop", "tv"),
    aliases=dict.fromkeys(("phone", "smartphone", "ios", "android"), "mobile")
    | dict.fromkeys(("pc", "computer"), "desktop")
    | {"smarttv": "tv"},
)
CHANNEL = Dimension(
    "channel",
    ("web", "app", "store", "email", "server"),
    aliases={"browser": "web", "mobile": "app", "ios": "app", "android": "app"},
)
DEFAULT_DIMENSIONS = (DEVICE, CHANNEL)


class _Vocabulary:
    """A dimension that is ready to read events. Index 0 is `other`; the values follow in their order."""

    def __init__(self, spec: Dimension) -> None:
        self.name = spec.name
        self.words = (OTHER, *spec.values)
        self.read = BUILT_IN_DIMENSIONS[spec.name] if spec.path is None else None
        self.path = spec.path or ""
        self._index = {word.lower(): n for n, word in enumerate(self.words)}
        self._index |= {alias.lower(): self._index[value.lower()] for alias, value in spec.aliases.items()}

    def index(self, found: Any) -> int:
        """The index of a value found in an event; 0 (`other`) for whatever is not in the vocabulary."""
        if type(found) is not str:
            if type(found) is not int or not -MAX_INT < found < MAX_INT:
                return 0
            found = str(found)
        known = self._index.get(found)
        if known is None and len(found) <= MAX_DIMENSION_VALUE_CHARS:
            known = self._index.get(found.lower())
        return known or 0


class Dimensions:
    """All dimensions together: one small number per event holds the value of each.

    The code is a mixed radix number: the first dimension counts the most. It depends on nothing but the
    dimensions.
    """

    def __init__(self, specs: Sequence[Dimension] = DEFAULT_DIMENSIONS) -> None:
        """Raises ConfigError for a bad dimension, and for more than MAX_DIMENSION_CODES combinations."""
        for n, spec in enumerate(specs):
            _check(spec, [earlier.name for earlier in specs[:n]])
        sizes = [len(spec.values) + 1 for spec in specs]
        if prod(sizes) > MAX_DIMENSION_CODES:
            shown = ", ".join(f"{spec.name} {size}" for spec, size in zip(specs, sizes, strict=True))
            raise ConfigError(
                f"dimensions: {prod(sizes)} combinations, more than {MAX_DIMENSION_CODES}; "
                f"sizes with {OTHER!r}: {shown}; list fewer values"
            )
        self.specs = tuple(specs)
        self.codes = prod(sizes)  # the number of codes, which are 0 .. codes - 1
        self._parts = [
            (_Vocabulary(spec), size, prod(sizes[n + 1 :]))
            for n, (spec, size) in enumerate(zip(specs, sizes, strict=True))
        ]
        self._by_name = {part[0].name: part for part in self._parts}
        self._readers = [(words.read, words.path, words.index, weight) for words, _, weight in self._parts]

    def code(self, event: Event) -> int:
        """The code of an event's values. Never raises."""
        code = 0
        for read, path, index, weight in self._readers:
            code += weight * (read(event, index) if read is not None else index(lookup(event, path)))
        return code

    def index(self, code: int, name: str) -> int:
        """The place of a dimension's value in a code: 0 is `other`, n is the n-th value."""
        _, size, weight = self._by_name[name]
        return code // weight % size

    def names(self, code: int) -> dict[str, str]:
        """The values in a code, by dimension."""
        assert 0 <= code < self.codes, f"no dimension code: {code}"
        return {words.name: words.words[code // weight % size] for words, size, weight in self._parts}

    def code_of(self, values: Mapping[str, str]) -> int:
        """The code of values by dimension, as `names` gives them. An unknown value is `other`."""
        return sum([weight * words.index(values.get(words.name)) for words, _, weight in self._parts])


def _check(spec: Dimension, earlier: list[str]) -> None:
    at = f"dimensions.{spec.name}"
    if not spec.name or spec.name in earlier:
        raise ConfigError(f"{at}: each dimension needs a name of its own")
    if spec.path is None and spec.name not in BUILT_IN_DIMENSIONS:
        raise ConfigError(
            f"{at}.path is missing; only {' and '.join(BUILT_IN_DIMENSIONS)} are read without one"
        )
    if spec.path is not None and (
        spec.path.split(".")[0] not in EVENT_FIELDS or not all(spec.path.split("."))
    ):
        raise ConfigError(
            f"{at}.path = {spec.path!r}: a path begins with one of {', '.join(sorted(EVENT_FIELDS))}, "
            "such as context.location.country"
        )
    words = [value.lower() for value in spec.values]
    wrong = next(
        (
            value
            for value in spec.values
            if words.count(value.lower()) > 1 or not 0 < len(value) <= MAX_DIMENSION_VALUE_CHARS
        ),
        None,
    )
    if wrong is not None:
        raise ConfigError(
            f"{at}.values has {wrong!r}: each value once, regardless of case, "
            f"with 1 to {MAX_DIMENSION_VALUE_CHARS} characters"
        )
    if OTHER in words:
        raise ConfigError(f"{at}.values has {OTHER!r}: it is always there and need not be listed")
    for alias, value in spec.aliases.items():
        if value.lower() not in words or alias.lower() in words or alias.lower() == OTHER:
            raise ConfigError(
                f"{at}.aliases.{alias} = {value!r}: an alias is a word that is no value, "
                f"for one of {', '.join(spec.values)}"
            )
