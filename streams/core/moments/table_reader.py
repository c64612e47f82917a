"""Reads the keys of a TOML table. A mistake names table, key and value, and what would be right."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from streams.core.moments.lines import Mistake, Spot
from streams.core.moments.spec import Words

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")  # of rules, lexicons, profiles and files


class TableReader:
    """A TOML table that is being read. `where` is its name in messages."""

    def __init__(self, where: str, data: Any, spot: Spot = Spot()) -> None:  # noqa: B008 (it is immutable)
        self.where, self.spot = where, spot
        if not isinstance(data, dict):
            raise Mistake(f"{where} = {data!r}: must be a table", spot)
        self.data = data
        self.known: set[str] = set()

    def wrong(self, key: str, right: str, value: str = "") -> Mistake:
        """Makes the error that names key and value and tells what would be right.

        `value`: of several the one that is wrong.
        """
        shown = repr(self.data[key]) if key in self.data else "(missing)"
        return Mistake(
            f"{self.where}{': ' if self.where else ''}{key} = {shown[:120]}: {right}",
            self.spot._replace(key=key, value=value),
        )

    def take(self, key: str) -> Any:
        """The value of a key. The key is known from now on."""
        self.known.add(key)
        return self.data.get(key)

    def text(self, key: str, default: str) -> str:
        """A string."""
        value = self.take(key)
        if value is not None and not isinstance(value, str):
            raise self.wrong(key, "must be a string")
        return default if value is None else value

    def flag(self, key: str) -> bool | None:
        """true, false, or None if the key is not set."""
        value = self.take(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def words(self, key: str, default: Words = (), among: Iterable[str] = ()) -> Words:
        """A list of strings: none of them empty, each once."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(word, str) and word.strip() for word in value):
            raise self.wrong(key, 'must be a list of strings, such as ["one", "two"]')
        if not value:
            raise self.wrong(key, "is empty: give at least one, or leave the key out")
        allowed = tuple(among)
        for word in value:
            if allowed and word not in allowed:
                raise self.wrong(key, f'"{word}" is none of {", ".join(allowed)}', word)
        return tuple(dict.fromkeys(word.strip() for word in value))

    def choice(self, key: str, among: Words) -> str:
        """One of a few strings."""
        value = self.take(key)
        if not isinstance(value, str) or value not in among:
            raise self.wrong(key, f"must be one of {', '.join(among)}")
        return value

    def tables(self, key: str) -> list[Any]:
        """An array of tables."""
        value = self.take(key)
        if value is not None and not isinstance(value, list):
            raise self.wrong(key, f"must be written as [[{key}]]")
        return value or []

    def done(self) -> None:
        """Raises ConfigError for a key that nobody asked for."""
        for key in self.data:
            if key not in self.known:
                near = get_close_matches(key, self.known, 1)
                meant = f"; did you mean {near[0]}?" if near else ""
                raise self.wrong(key, f"unknown key{meant} (known: {', '.join(sorted(self.known))})")
