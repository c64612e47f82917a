"""The settings of identity: whether what a device did belongs to the user who was signed in there, and when.

They are fold settings. docs/journeys.md, One person, several devices, has the rules.
"""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import NoDecode

from streams.core.identity.collective import SHIPPED_COLLECTIVE, plain_name
from streams.core.identity.links import MAX_LINKS
from streams.settings.durations import DAYS
from streams.settings.fields import DurationOrZero, EventPath, SettingsTable, TextList

MAX_COLLECTIVE = 1_000  # names; each is part of the fold settings, which every checkpoint keeps


def _names(given: tuple[str, ...]) -> tuple[str, ...]:
    """In one form and order, so that it does not matter how somebody wrote them."""
    for name in given:
        if not name.strip():
            raise ValueError(f"{name!r} is no name: write a user's id as events carry it, such as till-4")
    return tuple(sorted({plain_name(name) for name in given}))


def _shipped(given: tuple[str, ...]) -> tuple[str, ...]:
    for name in given:
        if name not in SHIPPED_COLLECTIVE:
            raise ValueError(f"{name!r} is none of the shipped names; docs/input.md has their list")
    return given


CollectiveNames = Annotated[
    tuple[str, ...], NoDecode, TextList, Field(max_length=MAX_COLLECTIVE), AfterValidator(_names)
]
ShippedNames = Annotated[CollectiveNames, AfterValidator(_shipped)]


class IdentitySettings(SettingsTable):
    """Who had a device, and so whose it is what was done there without a user. Durations are milliseconds."""

    on: bool = Field(
        True,
        description=(
            "Whether what a device did while nobody was signed in belongs to "
            "[the user who was](journeys.md#one-person-several-devices), before or soon after."
        ),
    )
    forward: DurationOrZero = Field(
        30 * DAYS, description="What a device does this long after a user was signed in there is the user's."
    )
    back: DurationOrZero = Field(
        7 * DAYS,
        description=(
            "What a device did this long before a user signed in there is the user's. What is final waits "
            "for it, beside `allowed_lateness`."
        ),
    )
    shared_above: int = Field(
        5,
        ge=1,
        le=MAX_LINKS,  # a device with more links is shared anyway
        description=(
            f"A device on which more users than this were signed in, 1 to {MAX_LINKS}, is shared: what is "
            "done there without a user is its own."
        ),
    )
    ignore: EventPath | None = Field(
        None,
        description=(
            "The path where an event says that its user is not who has the device, as where an agent of a "
            "call centre acts for a customer. An event that has a true value there makes no link."
        ),
    )
    collective: CollectiveNames = Field(
        (),
        description=(
            "Users who are many people, such as a till's account, beside the "
            "[shipped names](input.md#collective-users). Their events make no links."
        ),
    )
    not_collective: ShippedNames = Field(
        (), description="Shipped names that are one person here, for example `support`."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Raises ValueError, which names the keys."""
        if both := set(self.collective) & set(self.not_collective):
            raise ValueError(
                f"identity.collective and identity.not_collective both have {min(both)!r}: leave it in one "
                "of them"
            )
        return self
