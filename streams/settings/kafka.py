"""The settings of a Kafka cluster.

Settings that cannot work together are refused when they are read, with the key, the value and what would be
right: a client that gets half of what it needs reports "connection closed" an hour later. A password is never
shown: not in a message, a repr, `check-config` or a page.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from streams.errors import ConfigError
from streams.settings.durations import SECONDS, duration_text
from streams.settings.fields import Duration, DurationOrZero, Secret, SettingsTable, TextList
from streams.topology import AGENTS_SUFFIX, OWN_TOPICS, own_topic

MAX_INPUTS = 64  # each is asked for, and has a watermark of its own in every checkpoint
MAX_PORT = 65_535
APP_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")  # leaves room for `.<topic>`: Kafka allows 249 characters
TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
PASSWORD_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")  # they take a user's name and a password


def _addresses(value: str) -> str:
    addresses = [address.strip() for address in value.split(",")]
    for address in addresses:
        match = ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match[2]) <= MAX_PORT:
            raise ValueError(f"{address!r} is no address: write host:port, several with commas between them")
    return ",".join(addresses)


def _app_name(value: str) -> str:
    if not APP_NAME.fullmatch(value):
        raise ValueError(
            "is no name for an app, whose topics are called <app>.<topic>: write letters, digits, '.', '_' "
            "and '-', at most 200"
        )
    if value.endswith(AGENTS_SUFFIX):
        other = value.removesuffix(AGENTS_SUFFIX)
        raise ValueError(
            f"is no name for an app: agents of users beside the app {other or '...'!r} read in the group "
            f"{value!r}, and the workers of this app would be in that group too: take a name that does not "
            f"end in {AGENTS_SUFFIX}"
        )
    return value


def _topic_name(value: str) -> str:
    if not TOPIC_NAME.fullmatch(value) or value in (".", ".."):
        raise ValueError("is no name of a topic: write letters, digits, '.', '_' and '-', at most 249")
    return value


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    if twice := [value for at, value in enumerate(values) if value in values[:at]]:
        raise ValueError(f"{twice[0]} is named twice: name each topic once")
    return values


def _function_name(value: str) -> str:
    module, _, function = value.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), function)):
        raise ValueError("is no function: write module:function, such as my_tokens:token")
    return value


InputTopics = Annotated[
    tuple[Annotated[str, AfterValidator(_topic_name)], ...],
    NoDecode,
    TextList,
    AfterValidator(_once),
    Field(max_length=MAX_INPUTS),
]


class KafkaSettings(SettingsTable):
    """Where the brokers are, how to connect, and which topics are read. Durations are milliseconds."""

    model_config = ConfigDict(hide_input_in_errors=True)  # the input may hold a password

    bootstrap: Annotated[str, AfterValidator(_addresses)] | None = Field(
        None,
        description="The addresses of some brokers: host:port, with commas between them.",
    )
    app: Annotated[str, AfterValidator(_app_name)] | None = Field(
        None,
        description=(
            "The name of this deployment. Its topics are called `<app>.transitions` and so on; the names of "
            "its group and of its transactions begin with it."
        ),
    )
    inputs: InputTopics = Field((), description="The topics to read.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to connect: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        None,
        description="How to log in, with SASL: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`.",
    )
    username: str | None = Field(None, description="The user's name, for `PLAIN` and `SCRAM`.")
    password: Secret | None = Field(
        None,
        description=(
            "The password, for `PLAIN` and `SCRAM`. It is never shown. It is safer in the environment than "
            "in a file."
        ),
    )
    oauth: Annotated[str, AfterValidator(_function_name)] | None = Field(
        None,
        description=(
            "The function that gives the token, for `OAUTHBEARER`: `module:function`. It is called for each "
            "new connection and may be async."
        ),
    )
    ca_file: Path | None = Field(
        None,
        description=(
            "The certificates (PEM) of the authorities to trust, with SSL. Without it, those that the system "
            "trusts."
        ),
    )
    cert_file: Path | None = Field(
        None, description="Our certificate (PEM), with SSL, for brokers that ask clients for one."
    )
    key_file: Path | None = Field(
        None, description="The private key (PEM) of our certificate. Without it, the key is in `cert_file`."
    )
    key_password: Secret | None = Field(
        None, description="The password of the private key, if the key is encrypted. It is never shown."
    )
    compression: Literal["gzip", "snappy", "lz4", "zstd", "none"] = Field(
        "none",
        description=(
            "How written records are compressed: `gzip`, `snappy`, `lz4`, `zstd` or `none`. Input may be "
            "compressed in any of these ways."
        ),
    )
    instance: Annotated[str, AfterValidator(_topic_name)] | None = Field(
        None,
        description=(
            "The name of this process, which no other process has. With it, a restart within the session "
            "timeout moves no partition; without it, every restart does."
        ),
    )
    session_timeout: Duration = Field(
        6 * SECONDS,
        description=(
            "A worker that is silent for this long counts as dead, and others take over. Brokers allow 6s to "
            "30m unless they are configured otherwise."
        ),
    )
    commit_interval: DurationOrZero = Field(
        25, description="The shortest time between two commits of one partition."
    )
    fold_budget: Duration = Field(
        500,
        description=(
            "How long a worker that is behind computes before it commits, divided by its partitions and at "
            "least 50ms each. More is quicker; stopping and moving partitions take longer then."
        ),
    )
    start_timeout: Duration = Field(
        60 * SECONDS, description="How long a start keeps trying a cluster that does not answer."
    )
    grace: Duration = Field(
        20 * SECONDS,
        description="How long a worker may take to end after SIGTERM; longer than `session_timeout`.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Raises ValueError, which names the keys. No message shows the value of a secret."""
        self._check_login()
        self._check_certificates()
        if self.grace <= self.session_timeout:
            raise ValueError(
                f"kafka.grace = {duration_text(self.grace)} must be longer than kafka.session_timeout = "
                f"{duration_text(self.session_timeout)}: others may need that long to take over"
            )
        return self

    def _check_login(self) -> None:
        protocol, mechanism = self.security_protocol, self.sasl_mechanism
        if protocol.startswith("SASL_") and mechanism is None:
            raise ValueError(
                f"kafka.sasl_mechanism is missing: kafka.security_protocol = {protocol} needs "
                f"{', '.join(PASSWORD_MECHANISMS)} or OAUTHBEARER"
            )
        if mechanism is not None and not protocol.startswith("SASL_"):
            raise ValueError(
                f"kafka.sasl_mechanism = {mechanism} has no effect with kafka.security_protocol = "
                f"{protocol}: it needs SASL_SSL or SASL_PLAINTEXT"
            )
        by_password, passwords = mechanism in PASSWORD_MECHANISMS, "one of " + ", ".join(PASSWORD_MECHANISMS)
        self._check_credential("username", by_password, passwords)
        self._check_credential("password", by_password, passwords)
        self._check_credential("oauth", mechanism == "OAUTHBEARER", "OAUTHBEARER")

    def _check_credential(self, key: str, is_needed: bool, needed_by: str) -> None:
        given = getattr(self, key)
        is_empty = not (given.get_secret_value() if isinstance(given, SecretStr) else given)
        if is_needed and is_empty:
            raise ValueError(f"kafka.{key} is missing: kafka.sasl_mechanism = {self.sasl_mechanism} needs it")
        if given is not None and not is_needed:
            raise ValueError(
                f"kafka.{key} has no effect with kafka.sasl_mechanism = {self.sasl_mechanism or 'none'}: it "
                f"needs {needed_by}"
            )

    def _check_certificates(self) -> None:
        for key in ("ca_file", "cert_file", "key_file", "key_password"):
            if getattr(self, key) is None:
                continue
            if not self.security_protocol.endswith("SSL"):
                raise ValueError(
                    f"kafka.{key} has no effect with kafka.security_protocol = {self.security_protocol}: it "
                    "needs SSL or SASL_SSL"
                )
            if key.startswith("key_") and self.cert_file is None:
                raise ValueError(
                    f"kafka.{key} has no effect without kafka.cert_file: a key belongs to a certificate"
                )


class Deployment(NamedTuple):
    """What every command on a cluster needs."""

    bootstrap: str
    app: str
    inputs: tuple[str, ...]


REQUIRED: Mapping[str, tuple[str, str]] = {  # what each is, and its flag
    "bootstrap": ("the address of a broker", "--kafka HOST:PORT"),
    "app": ("the name of this deployment", "--app NAME"),
    "inputs": ("the topics to read", "--input TOPIC"),
}


def deployment(kafka: KafkaSettings) -> Deployment:
    """The three settings that have no default. Raises ConfigError, one line per key that is missing."""
    bootstrap, app = _required(kafka, REQUIRED)
    written = {own_topic(app, topic) for topic in OWN_TOPICS}
    if own := [name for name in kafka.inputs if name in written]:
        raise ConfigError(
            f"kafka.inputs = {own[0]}: this app writes that topic itself, so it cannot read it as input"
        )
    return Deployment(bootstrap, app, kafka.inputs)


def deployed_app(kafka: KafkaSettings) -> tuple[str, str]:
    """The address of a broker and the name of an app, for those who ask the app and read nothing as it does.

    Raises ConfigError, one line per key that is missing.
    """
    return _required(kafka, ("bootstrap", "app"))


def _required(kafka: KafkaSettings, keys: Iterable[str]) -> tuple[str, str]:
    if absent := [missing_setting(key) for key in keys if not getattr(kafka, key)]:
        raise ConfigError("\n".join(absent))
    assert kafka.bootstrap
    assert kafka.app
    return kafka.bootstrap, kafka.app


def missing_setting(key: str) -> str:
    """The error text about a required key that was not given."""
    meaning, flag = REQUIRED[key]
    return f"kafka.{key} is missing ({meaning}): give {flag} or set STREAMS_KAFKA__{key.upper()}"
