"""Remembers which rules and which door read which record, ever since this partition began.

Between two batches both can change: what an event means (the rules), and how its bytes become an event (the
door). A signal keeps the code of the rule that read it, two bytes that count through this book. So a
transition names the right rule, and a recomputation reads each stored record as it was read then.
"""

from collections.abc import Mapping

import msgspec

from streams.core.ingest.door import Door
from streams.core.moments.rules import Rules
from streams.core.moments.verdict import RuleInfo
from streams.errors import Incompatible

MAX_RULE_CODES = 65_536  # two bytes per signal


class RulesVersion(msgspec.Struct, frozen=True, array_like=True):
    """One version of the rules, with its whole text."""

    version: str
    first_code: int  # rule number n of this version has the code first_code + n
    rules: tuple[RuleInfo, ...]
    text: str
    # It was never in force here: signals came that another partition had read by it. It has the rules of
    # these signals alone, and no text.
    is_foreign: bool = False


class Era(msgspec.Struct, frozen=True, array_like=True):
    """From these offsets on, records were read by this version of the rules and this door."""

    offsets: dict[str, int]  # by source; a source that is not named counts from 0
    rules: int  # number of the version in the book
    door: int  # number of the door in the book

    def begun(self, source: str, offset: int) -> bool:
        """True if the record at this offset was read in this era or a later one."""
        return self.offsets.get(source, 0) <= offset


class Rulebook:
    """All versions of the rules and all doors that were ever in force, in the order of their first use."""

    def __init__(
        self,
        versions: list[RulesVersion] | None = None,
        doors: list[Door] | None = None,
        eras: list[Era] | None = None,
    ) -> None:
        self.versions, self.doors, self.eras = versions or [], doors or [], eras or []

    def restore(
        self, versions: Mapping[int, RulesVersion], doors: Mapping[int, Door], eras: list[Era]
    ) -> None:
        """Begins from what the state holds, by number."""
        self.versions = [versions[n] for n in sorted(versions)]
        self.doors = [doors[n] for n in sorted(doors)]
        self.eras = eras

    def adopt(self, rules: Rules, door: Door, offsets: Mapping[str, int]) -> Era:
        """Puts rules and a door in force from these offsets on. Raises Incompatible when the book is full."""
        number = next(
            (n for n, v in enumerate(self.versions) if v.version == rules.version and not v.is_foreign), None
        )
        if number is None:
            number = self._add(RulesVersion(rules.version, self.codes, rules.rules, rules.text))
        if door not in self.doors:
            self.doors.append(door)
        begins = {source: offset for source, offset in offsets.items() if offset}
        era = Era(begins, number, self.doors.index(door))
        if self.eras:
            last = self.eras[-1]
            if (last.rules, last.door) == (era.rules, era.door):
                return last
            if last.offsets == begins:  # nothing was read in it
                self.eras.pop()
        self.eras.append(era)
        return era

    def _add(self, version: RulesVersion) -> int:
        codes = self.codes
        if codes + len(version.rules) > MAX_RULE_CODES:
            raise Incompatible(
                f"rules {version.version}: the {len(self.versions)} versions so far have {codes} rules, and "
                f"an app can use {MAX_RULE_CODES} in all: start a new data directory and replay"
            )
        self.versions.append(version)
        return len(self.versions) - 1

    def code_of(self, version: str, rule: RuleInfo) -> int:
        """The code of a rule by which another partition read a signal. One that is not known is added.

        Raises Incompatible when the book is full.
        """
        for known in self.versions:
            if known.version == version and rule in known.rules:
                return known.first_code + known.rules.index(rule)
        self._add(RulesVersion(version, self.codes, (rule,), "", is_foreign=True))
        return self.codes - 1

    def rule_of(self, code: int) -> tuple[str, RuleInfo]:
        """The version of the rules, and the rule, that has this code."""
        found = next(known for known in reversed(self.versions) if known.first_code <= code)
        return found.version, found.rules[code - found.first_code]

    @property
    def codes(self) -> int:
        """How many rules have a code."""
        return self.versions[-1].first_code + len(self.versions[-1].rules) if self.versions else 0

    def version_of(self, code: int) -> str:
        """The version of the rules that the rule with this code belongs to."""
        return next(known.version for known in reversed(self.versions) if known.first_code <= code)

    def era_of(self, source: str, offset: int) -> Era:
        """The era in which the record at this offset was read."""
        return next(era for era in reversed(self.eras) if era.begun(source, offset))
