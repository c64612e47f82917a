"""The settings of what serves pages and posts chosen transitions, beside the work itself."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode

from schemas.kinds import Kind
from streams.settings.body_template import BodyTemplate
from streams.settings.durations import DAYS, MINUTES, SECONDS
from streams.settings.fields import Duration, DurationOrZero, Secret, SettingsTable, TextList

HTTP = re.compile(r"https?://[^\s/?#]+\S*")
HEADER_NAME = re.compile(r"[a-z0-9-]+")
HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
ADVERTISED = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
LEAST_TOKEN_CHARS = 16  # of random ones: nobody guesses them through a network
OWN_HEADERS = ("content-type", "content-length", "transfer-encoding", "host", "user-agent", "idempotency-key")


def _http(value: SecretStr) -> SecretStr:
    """Refuses what is no address, without showing it: the address of a webhook is often its key."""
    if not HTTP.fullmatch(value.get_secret_value()):
        raise ValueError("is no address: write https://host/path")
    return value


def _headers(given: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Refuses what is no header, and those that the program sets itself. A variable has _ for -."""
    headers = {name.replace("_", "-").lower(): value for name, value in given.items()}
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a header: write letters, digits and -")
        if name in OWN_HEADERS:
            raise ValueError(f"{name} is set by the program: leave it out")
        if not HEADER_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(f"the value of {name} is empty, or is no plain text on one line")
    return headers


def _template(text: str) -> str:
    BodyTemplate(text)
    return text


def _token(value: SecretStr) -> SecretStr:
    """Refuses what can be guessed or cannot be sent, without showing it."""
    text = value.get_secret_value()
    if len(text) < LEAST_TOKEN_CHARS or not HEADER_VALUE.fullmatch(text) or " " in text:
        raise ValueError(
            f"is no token: write at least {LEAST_TOKEN_CHARS} characters without spaces, such as what "
            "`openssl rand -hex 24` prints"
        )
    return value


def _advertised(value: str) -> str:
    if not ADVERTISED.fullmatch(value):
        raise ValueError("is no address: write HOST or HOST:PORT, such as 10.1.2.3:6066")
    return value


class WebSettings(SettingsTable):
    """A worker's web server: health and metrics, and people, for the dashboard."""

    model_config = ConfigDict(hide_input_in_errors=True)  # the token is a secret

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description=(
            "The address that serves `/livez`, `/readyz` and `/metrics`. 0.0.0.0 serves them to everybody "
            "who reaches this machine. On loopback, and elsewhere with `web.token`, the dashboard and other "
            "workers can also ask there for a person."
        ),
    )
    port: int = Field(
        6066, ge=0, le=65_535, description="The port of these pages. 0 takes a free one, which the log names."
    )
    token: Annotated[Secret, AfterValidator(_token)] | None = Field(
        None,
        description=(
            "What the dashboard and other workers give when they ask a worker for a person: the same for all "
            "of an app. Without it a worker answers on loopback only. It is never shown. It is safer in the "
            "environment than in a file."
        ),
    )
    advertise: Annotated[str, AfterValidator(_advertised)] | None = Field(
        None,
        description=(
            "Where the dashboard and other workers reach this worker, HOST or HOST:PORT, if that is not "
            "`web.host` and `web.port`: the name or the address of a pod, for example. With "
            "`kafka.instance` it has to stay the same when the worker is restarted."
        ),
    )


def _root_path(value: str) -> str:
    path = "/" + value.strip("/") if value.strip("/") else ""
    if not ROOT_PATH.fullmatch(path):
        raise ValueError("is no path: write /journeys, of letters, digits and . _ ~ - /")
    return path


class DashboardSettings(SettingsTable):
    """The live page and its API."""

    model_config = ConfigDict(hide_input_in_errors=True)  # the token is a secret

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description=(
            "The address that serves the live page and the API. Any other than that of this machine itself "
            "(loopback) needs `dashboard.token`."
        ),
    )
    port: int = Field(
        6067, ge=0, le=65_535, description="The port of the page. 0 takes a free one, which is printed."
    )
    root_path: Annotated[str, AfterValidator(_root_path)] = Field(
        "",
        description=(
            "The path under which a proxy shows the page, such as `/journeys`. The proxy takes it away "
            "before it passes a request on."
        ),
    )
    token: Annotated[Secret, AfterValidator(_token)] | None = Field(
        None,
        description=(
            "What everybody who opens the page or asks the API must give, once set. It is never shown. It is "
            "safer in the environment than in a file."
        ),
    )
    snapshot: Path | None = Field(
        None,
        description=(
            "A file in which the dashboard keeps the counters, so that its next start reads only what has "
            "come since. Without it, a start reads all of them."
        ),
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
    headers: Annotated[dict[str, Secret], AfterValidator(_headers)] = Field(
        {},
        description=(
            'Headers of each post, such as `{ Authorization = "Bearer ..." }`. Their values are never shown. '
            "In the environment each has a variable, with _ for -: "
            "`STREAMS_ANNOUNCE__HEADERS__AUTHORIZATION`."
        ),
    )
    template: Annotated[str, AfterValidator(_template)] | None = Field(
        None,
        description=(
            "The body of a post: JSON with fields of the transition in its texts, such as "
            '`{"text": "$profile stalled in $from"}`. Without it the transition is posted as it is on the '
            "topic."
        ),
    )
    kinds: Annotated[tuple[Kind, ...], NoDecode, TextList, Field(min_length=1)] = Field(
        ("stalled",),
        description=(
            "The kinds of transition that are posted: opened, advanced, returned, stalled, resumed, "
            "converted, abandoned, partially_refunded, refunded."
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
    hold: DurationOrZero = Field(
        1 * MINUTES,
        description=(
            "How long a transition is held back before it is posted. It is dropped if its person converts "
            "meanwhile, or if it is taken back."
        ),
    )
    max_age: Duration = Field(
        1 * DAYS,
        description="A transition that happened longer ago is not posted, as in a replay.",
    )
    timeout: Duration = Field(10 * SECONDS, description="How long a post waits for its answer.")
    retry_for: Duration = Field(
        5 * MINUTES,
        description="How long a post that fails is tried again, with growing pauses, before it is given up.",
    )
