"""Which rules said what, ever since this partition began.

Rules may change at any batch boundary. A signal keeps the rule and version it was read with, so transitions name them truly, and a recomputation
reads each stored record with the version that was in force at its offset. A signal names its rule in two bytes: a number in this book.
"""

from collections.abc import Mapping

import msgspec

from streams.core.moments.rules import Rules
from streams.core.moments.verdict import RuleInfo
from streams.errors import Incompatible

MAX_CODES = 65_536  # two bytes per signal


class Version(msgspec.Struct, frozen=True, array_like=True):
    """One version of the rules, whole, as it was used."""

    version: str
    base: int  # its rule number n has the code base + n
    rules: tuple[RuleInfo, ...]
    text: str


class Era(msgspec.Struct, frozen=True, array_like=True):
    """From these offsets of the sources on, records were read with this version. A source that is not named counts from 0."""

    offsets: dict[str, int]
    version: int  # its number in the book

    def begun(self, source: str, offset: int) -> bool:
        """Whether the record at this offset was read with this version or a later one."""
        return self.offsets.get(source, 0) <= offset


class Rulebook:
    """All versions that were ever in force, in the order they came into use."""

    def __init__(self, versions: list[Version] | None = None, eras: list[Era] | None = None) -> None:
        self.versions = versions or []
        self.eras = eras or []

    def adopt(self, rules: Rules, offsets: Mapping[str, int]) -> tuple[int, bool]:
        """Puts these rules in force from these offsets on. Returns the code of their first rule, and whether their version is new to the book.

        Raises Incompatible when the book is full.
        """
        number = next((n for n, v in enumerate(self.versions) if v.version == rules.version), None)
        new = number is None
        if number is None:
            base = self.codes
            if base + len(rules.rules) > MAX_CODES:
                raise Incompatible(
                    f"rules {rules.version}: the {len(self.versions)} versions of the rules used so far have {base} rules, and {MAX_CODES} is"
                    " the most that can be told apart: start a new data directory and replay"
                )
            number = len(self.versions)
            self.versions.append(Version(rules.version, base, rules.rules, rules.text))
        if not self.eras or self.eras[-1].version != number:
            begun = {source: offset for source, offset in offsets.items() if offset}
            if self.eras and self.eras[-1].offsets == begun:
                self.eras.pop()
            self.eras.append(Era(begun, number))
        return self.versions[number].base, new

    @property
    def codes(self) -> int:
        """How many rules have a code."""
        return self.versions[-1].base + len(self.versions[-1].rules) if self.versions else 0

    def version_of(self, code: int) -> str:
        """The version that the rule with this code is of."""
        return next(v.version for v in reversed(self.versions) if v.base <= code)

    def in_force(self, source: str, offset: int) -> Version:
        """The version that read the record at this offset."""
        return self.versions[next(e for e in reversed(self.eras) if e.begun(source, offset)).version]
