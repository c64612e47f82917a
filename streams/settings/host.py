"""The settings of what a worker does beside its work: pages for those who look after it, and messages about chosen transitions."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode

from schemas.kinds import Kind
from streams.settings.durations import DAY, MINUTE, SECOND
from streams.settings.fold import Duration, _Model, _texts
from streams.settings.kafka import Secret

HTTP = re.compile(r"https?://[^\s/?#]+\S*")


def _http(value: SecretStr) -> SecretStr:
    """The address stays out of the message: that of a webhook often is the key to it."""
    if not HTTP.fullmatch(value.get_secret_value()):
        raise ValueError("is no address: write https://host/path")
    return value


class Web(_Model):
    """Health and metrics."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="where `/livez`, `/readyz` and `/metrics` are served; 0.0.0.0: to all who reach this machine",
    )
    port: int = Field(
        6066, ge=0, le=65_535, description="on which port; 0: on one that is free, which the log names"
    )


class Announce(_Model):
    """Which transitions are posted to a webhook. Durations are milliseconds."""

    model_config = ConfigDict(hide_input_in_errors=True)  # an address may be a key

    url: Annotated[Secret, AfterValidator(_http)] | None = Field(
        None, description="where to post; shown nowhere, since it often is the key; none: nowhere"
    )
    kinds: Annotated[tuple[Kind, ...], NoDecode, BeforeValidator(_texts), Field(min_length=1)] = Field(
        ("stalled",),
        description="of which kinds: opened, advanced, returned, stalled, resumed, converted, abandoned, refunded",
    )
    moments: Annotated[tuple[Literal["know", "go", "do", "buy"], ...], NoDecode, BeforeValidator(_texts)] = (
        Field((), description="and out of which moments: know, go, do, buy; none: out of any, or out of none")
    )
    corrections: bool = Field(False, description="whether what is taken back (`op: retract`) is posted too")
    max_age: Duration = Field(
        1 * DAY,
        description="how long ago the step may have been; older ones, of a replay for instance, are not posted",
    )
    timeout: Duration = Field(10 * SECOND, description="how long an answer is waited for")
    retry_for: Duration = Field(
        5 * MINUTE,
        description="how long a post that fails is tried again, with growing pauses, before it is given up",
    )
