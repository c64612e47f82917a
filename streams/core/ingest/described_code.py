"""A closed list of codes that explain themselves: the reasons of rejections and the kinds of repair."""

from enum import StrEnum
from typing import Self


class DescribedCode(StrEnum):
    """A code for machines. `about` describes it to a person, and docs/input.md shows it."""

    about: str

    def __new__(cls, value: str, about: str) -> Self:
        """Makes a code from its text and its meaning."""
        code = str.__new__(cls, value)
        code._value_ = value
        code.about = about
        return code
