"""The settings of what a worker does beside its work: it serves pages and posts chosen transitions."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode

from schemas.kinds import Kind
from streams.settings.durations import DAYS, MINUTES, SECONDS
from streams.settings.fields import Duration, Secret, SettingsTable, TextList

HTTP = re.compile(r"https?://[^\s/?#]+\S*")


def _http(value: SecretStr) -> SecretStr:
    """Refuses what is no address, without showing it: the address of a webhook is often its key."""
    if not HTTP.fullmatch(value.get_secret_value()):
        raise ValueError("is no address: write https://host/path")
    return value


class WebSettings(SettingsTable):
    """Health and metrics."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description=(
            "The address that serves `/livez`, `/readyz` and `/metrics`. 0.0.0.0 serves them to everybody "
            "who reaches this machine."
        ),
    )
    port: int = Field(
        6066, ge=0, le=65_535, description="The port of these pages. 0 takes a free one, which the log names."
    )


class AnnounceSettings(SettingsTable):
    """Which transitions are posted to a webhook. Durations are milliseconds."""

    model_config = ConfigDict(hide_input_in_errors=True)  # the address may be a secret

    url: Annotated[Secret, AfterValidator(_http)] | None = Field(
        None,
        description=(
            "The webhook to post to. It is never shown, since the address of a webhook is often its key. "
            "Without it nothing is posted."
        ),
    )
    kinds: Annotated[tuple[Kind, ...], NoDecode, TextList, Field(min_length=1)] = Field(
        ("stalled",),
        description=(
            "The kinds of transition that are posted: opened, advanced, returned, stalled, resumed, "
            "converted, abandoned, refunded."
        ),
    )
    moments: Annotated[tuple[Literal["know", "go", "do", "buy"], ...], NoDecode, TextList] = Field(
        (),
        description=(
            "Only transitions out of these moments are posted: know, go, do, buy. Without any, the moment "
            "does not matter."
        ),
    )
    corrections: bool = Field(False, description="Whether retractions (`op: retract`) are posted too.")
    max_age: Duration = Field(
        1 * DAYS,
        description="A transition that happened longer ago is not posted, as in a replay.",
    )
    timeout: Duration = Field(10 * SECONDS, description="How long a post waits for its answer.")
    retry_for: Duration = Field(
        5 * MINUTES,
        description="How long a post that fails is tried again, with growing pauses, before it is given up.",
    )
