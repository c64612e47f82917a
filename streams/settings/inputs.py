"""The settings that say how records are read: the format of each input, and the words that stand for no id.

They may change at any start: what was read stays read, and a recomputation reads each record as it was read
then.
"""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import NoDecode

from streams.core.ingest.formats.mapping import mapping_fault
from streams.core.ingest.input_doors import format_fault, zone_fault
from streams.core.ingest.placeholders import Placeholders
from streams.settings.fields import SettingsTable, TextList

MAX_PLACEHOLDERS = 1_000  # each is part of the door, which the state keeps
MAX_ROBOT_TEXTS = 1_000  # for the same reason; and each is looked for in every new user agent
MAX_CONSENT_CATEGORIES = 100  # a consent tool has some ten


def _known_format(name: str) -> str:
    """Refuses what is no format. Whether it has the mapping that it needs is for its table to say."""
    if (fault := format_fault(name, is_mapped=False)) and format_fault(name, is_mapped=True):
        raise ValueError(fault)
    return name


def _format_of_all(name: str) -> str:
    if fault := format_fault(name, is_mapped=False):
        raise ValueError(fault)
    return name


def _zone(name: str) -> str:
    if fault := zone_fault(name):
        raise ValueError(fault)
    return name


def _mapping(given: dict[str, str]) -> dict[str, str]:
    fault = mapping_fault(given)
    if fault is not None:
        place = "" if fault.field is None else f"{fault.field} = {given[fault.field]!r}: "
        raise ValueError(f"{place}{fault.text}")
    return given


def _shipped(words: tuple[str, ...]) -> tuple[str, ...]:
    shipped = Placeholders()
    for word in words:
        if not word.strip() or word not in shipped:
            raise ValueError(f"{word!r} is none of the shipped words; docs/input.md has their list")
    return words


def _robot_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        if not text.strip():
            raise ValueError(f"{text!r} is in any user agent; write a part of a robot's, such as `probe/`")
    return texts


def _categories(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        if not any(character.isalnum() for character in word):
            raise ValueError(f"{word!r} names no category; write its id as the consent tool has it")
    return words


FormatOfAll = Annotated[str, AfterValidator(_format_of_all)]
Zone = Annotated[str, AfterValidator(_zone)]
PlaceholderWords = Annotated[tuple[str, ...], NoDecode, TextList, Field(max_length=MAX_PLACEHOLDERS)]
ShippedWords = Annotated[PlaceholderWords, AfterValidator(_shipped)]
RobotTexts = Annotated[
    tuple[str, ...], NoDecode, TextList, Field(max_length=MAX_ROBOT_TEXTS), AfterValidator(_robot_texts)
]
ConsentCategories = Annotated[
    tuple[str, ...], NoDecode, TextList, Field(max_length=MAX_CONSENT_CATEGORIES), AfterValidator(_categories)
]


class InputSettings(SettingsTable):
    """How the records of one topic are read."""

    format: Annotated[str, AfterValidator(_known_format)] | None = Field(
        None, description="The format of the records of this topic. Without it, that of all inputs."
    )
    zone: Zone | None = Field(
        None,
        description="The zone of times without an offset in this topic. Without it, that of all inputs.",
    )
    map: Annotated[dict[str, str], AfterValidator(_mapping)] | None = Field(
        None,
        description=(
            "Where a record has which field of an event, for records of any other tool: "
            '`{ userId = "customer.id", timestamp = "at", event = "what" }`. See '
            "[input](input.md#any-other-tool-a-mapping)."
        ),
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.format is not None and (fault := format_fault(self.format, self.map is not None)):
            raise ValueError(f"format = {self.format!r}: {fault}")
        return self
