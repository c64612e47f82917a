"""The settings of a Kafka cluster.

What cannot work together is refused when the settings are read, with the key, the value and what would be right: a client that is told half of
what it needs says "connection closed" an hour later. A password is never shown: not in a message, a repr, `check-config` or a page.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    model_validator,
)
from pydantic_settings import NoDecode

from streams.errors import ConfigError
from streams.settings.durations import SECOND, duration_text
from streams.settings.fold import Duration, Wait, _Model, _texts

HIDDEN = "***"
MAX_INPUTS = 64  # each is asked for, and has a mark of its own in every checkpoint
APP = re.compile(
    r"[A-Za-z0-9._-]{1,200}"
)  # topics are called `<app>.<name>`, and a topic's name has at most 249 characters
TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
MAX_PORT = 65_535
PASSWORDS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")  # mechanisms that take a name and a password


def _addresses(value: str) -> str:
    for address in value.split(","):
        match = ADDRESS.fullmatch(address.strip())
        if match is None or not 0 < int(match[2]) <= MAX_PORT:
            raise ValueError(
                f"{address.strip()!r} is no address: write host:port, several with commas between them"
            )
    return ",".join(address.strip() for address in value.split(","))


def _app(value: str) -> str:
    if not APP.fullmatch(value):
        raise ValueError(
            "is no name for an app: its topics are called <app>.<topic>: write letters, digits, '.', '_' and '-', at most 200"
        )
    return value


def _topic(value: str) -> str:
    if not TOPIC.fullmatch(value) or value in (".", ".."):
        raise ValueError("is no name of a topic: these are of letters, digits, '.', '_' and '-', at most 249")
    return value


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    if twice := [value for at, value in enumerate(values) if value in values[:at]]:
        raise ValueError(f"{twice[0]} is named twice: name each topic once")
    return values


def _hook(value: str) -> str:
    module, colon, name = value.partition(":")
    if not (
        colon
        and module
        and name
        and all(part.isidentifier() for part in module.split("."))
        and name.isidentifier()
    ):
        raise ValueError("is no function: write module:function, such as my_tokens:token")
    return value


Secret = Annotated[SecretStr, PlainSerializer(lambda _: HIDDEN)]
Topics = Annotated[
    tuple[Annotated[str, AfterValidator(_topic)], ...],
    NoDecode,
    BeforeValidator(_texts),
    AfterValidator(_once),
    Field(max_length=MAX_INPUTS),
]


class Kafka(_Model):
    """Where the brokers are, how to talk to them, and which topics are read. Durations are milliseconds."""

    model_config = ConfigDict(hide_input_in_errors=True)  # a password may be among it

    bootstrap: Annotated[str, AfterValidator(_addresses)] | None = Field(
        None, description="some of the brokers: host:port, several with commas between them"
    )
    app: Annotated[str, AfterValidator(_app)] | None = Field(
        None,
        description="the name of this deployment: its topics are `<app>.transitions` and so on, its group and its transactions begin with it",
    )
    inputs: Topics = Field((), description="the topics to read")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        None, description="with SASL: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`"
    )
    username: str | None = Field(None, description="with `PLAIN` and `SCRAM`")
    password: Secret | None = Field(
        None, description="with `PLAIN` and `SCRAM`; shown nowhere. Better in the environment than in a file"
    )
    oauth: Annotated[str, AfterValidator(_hook)] | None = Field(
        None,
        description="with `OAUTHBEARER`: `module:function`, gives the token; called whenever a connection is made, may be async",
    )
    ca_file: Path | None = Field(
        None,
        description="with SSL: certificates (PEM) of whom to believe; none: those that the system believes",
    )
    cert_file: Path | None = Field(
        None, description="with SSL, for brokers that ask clients who they are: our certificate (PEM)"
    )
    key_file: Path | None = Field(None, description="its private key (PEM); none: it is in `cert_file`")
    key_password: Secret | None = Field(
        None, description="of the private key, if it is encrypted; shown nowhere"
    )
    compression: Literal["gzip", "snappy", "lz4", "zstd", "none"] = Field(
        "none",
        description="of what is written: `gzip`, `snappy`, `lz4`, `zstd` or `none`; whatever is read is understood",
    )
    instance: Annotated[str, AfterValidator(_topic)] | None = Field(
        None,
        description="the name of this process, no other's: a restart within the session timeout then moves no partition; none: it always does",
    )
    session_timeout: Duration = Field(
        6 * SECOND,
        description="silence after which a worker is taken for dead and others take over; brokers admit 6s to 30m unless told otherwise",
    )
    commit_interval: Wait = Field(25, description="shortest time between two commits of one partition")
    start_timeout: Duration = Field(
        60 * SECOND, description="how long a cluster that does not answer is tried at the start"
    )
    grace: Duration = Field(
        20 * SECOND, description="how long SIGTERM may take; longer than `session_timeout`"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Raises ValueError, which names the keys. Values of secrets are in none of these messages."""
        protocol, mechanism = self.security_protocol, self.sasl_mechanism
        if protocol.startswith("SASL_") and mechanism is None:
            raise ValueError(
                f"kafka.sasl_mechanism is missing: kafka.security_protocol = {protocol} asks for {', '.join(PASSWORDS)} or OAUTHBEARER"
            )
        if mechanism is not None and not protocol.startswith("SASL_"):
            raise ValueError(
                f"kafka.sasl_mechanism = {mechanism} is of no use with kafka.security_protocol = {protocol}: that would be SASL_SSL or SASL_PLAINTEXT"
            )
        for key, wanted in (
            ("username", mechanism in PASSWORDS),
            ("password", mechanism in PASSWORDS),
            ("oauth", mechanism == "OAUTHBEARER"),
        ):
            given = getattr(self, key)
            if wanted and not (given.get_secret_value() if isinstance(given, SecretStr) else given):
                raise ValueError(f"kafka.{key} is missing: kafka.sasl_mechanism = {mechanism} needs it")
            if given is not None and not wanted:
                right = "OAUTHBEARER" if key == "oauth" else "one of " + ", ".join(PASSWORDS)
                raise ValueError(
                    f"kafka.{key} is of no use with kafka.sasl_mechanism = {mechanism or 'none'}: that would be {right}"
                )
        for key in ("ca_file", "cert_file", "key_file", "key_password"):
            if getattr(self, key) is not None and not protocol.endswith("SSL"):
                raise ValueError(
                    f"kafka.{key} is of no use with kafka.security_protocol = {protocol}: that would be SSL or SASL_SSL"
                )
            if key.startswith("key_") and getattr(self, key) is not None and self.cert_file is None:
                raise ValueError(
                    f"kafka.{key} is of no use without kafka.cert_file: a key belongs to a certificate"
                )
        if self.grace <= self.session_timeout:
            grace, session = duration_text(self.grace), duration_text(self.session_timeout)
            raise ValueError(
                f"kafka.grace = {grace} must be longer than kafka.session_timeout = {session}: others may need that long to take over"
            )
        return self


class Named(NamedTuple):
    """What a command on a cluster cannot do without."""

    bootstrap: str
    app: str
    inputs: tuple[str, ...]


NEEDED: Mapping[str, tuple[str, str]] = {  # how else each may be given
    "bootstrap": ("where the brokers are", "--kafka HOST:PORT"),
    "app": ("the name of this deployment", "--app NAME"),
    "inputs": ("the topics to read", "--input TOPIC"),
}


def named(kafka: Kafka) -> Named:
    """The three that have no default. Raises ConfigError, one line per key that is missing."""
    from streams.topology import EVENTS, TOPICS

    if absent := [missing(key) for key in NEEDED if not getattr(kafka, key)]:
        raise ConfigError("\n".join(absent))
    assert kafka.bootstrap
    assert kafka.app
    ours = {f"{kafka.app}.{topic.name}" for topic in TOPICS if topic is not EVENTS}
    if own := [name for name in kafka.inputs if name in ours]:
        raise ConfigError(
            f"kafka.inputs = {own[0]}: is written by this app itself; an input is somebody else's topic"
        )
    return Named(kafka.bootstrap, kafka.app, kafka.inputs)


def missing(key: str) -> str:
    what, flag = NEEDED[key]
    return f"kafka.{key} is missing, {what}: say {flag}, or set STREAMS_KAFKA__{key.upper()}"
