"""The settings of Kafka are checked together, and secrets stay secret."""

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.errors import ConfigError
from streams.log.kafka.connection import cluster
from streams.log.kafka.oauth import Tokens
from streams.settings.describing import describe
from streams.settings.kafka import KafkaSettings, deployment
from streams.settings.loading import load_settings
from tests.cli.running import lines, streams

SECRET = "hunter2-of-the-shop"
AT = {"bootstrap": "broker:9092"}
SCRAM = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-256",
    "username": "shop",
    "password": SECRET,
}


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory and none of our variables."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("STREAMS_")]:
        monkeypatch.delenv(name)


def complaint(**kafka: Any) -> str:
    """The error of reading these settings, or of making a connection of them."""
    with pytest.raises(ConfigError) as caught:
        cluster(load_settings(kafka=AT | kafka).kafka)
    return str(caught.value)


def test_flags_over_environment_over_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are joined key by key; a flag that is None was not given; lists are written with commas."""
    Path("streams.toml").write_text(
        '[kafka]\nbootstrap = "file:1"\napp = "file"\ninputs = ["a"]\ngrace = "30s"\n'
    )
    monkeypatch.setenv("STREAMS_KAFKA__APP", "environment")
    monkeypatch.setenv("STREAMS_KAFKA__INPUTS", "b, c")
    kafka = load_settings(kafka={"bootstrap": "flag:1, other:2", "app": None, "inputs": None}).kafka
    assert ("flag:1,other:2", "environment", ("b", "c"), 30_000) == (
        kafka.bootstrap,
        kafka.app,
        kafka.inputs,
        kafka.grace,
    )
    assert ("flag:1,other:2", "environment", ("b", "c")) == deployment(kafka)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"bootstrap": "broker"},
            "kafka.bootstrap = 'broker': 'broker' is no address: write host:port, several with commas "
            "between them (--kafka)",
        ),
        ({"bootstrap": "broker:70000"}, "kafka.bootstrap = 'broker:70000'"),
        ({"app": "my shop"}, "kafka.app = 'my shop': is no name for an app"),
        (
            {"app": "shop-agents"},
            "kafka.app = 'shop-agents': is no name for an app: agents of users beside the app 'shop' read in "
            "the group 'shop-agents'",
        ),
        ({"inputs": ["a/b"]}, "kafka.inputs.0 = 'a/b': is no name of a topic"),
        ({"inputs": ["a", "a"]}, "kafka.inputs = ['a', 'a']: a is named twice"),
        ({"security_protocol": "TLS"}, "kafka.security_protocol = 'TLS': Input should be 'PLAINTEXT', 'SSL'"),
        (
            {"security_protocol": "SASL_SSL"},
            "kafka.sasl_mechanism is missing: kafka.security_protocol = SASL_SSL needs PLAIN",
        ),
        (
            {"sasl_mechanism": "PLAIN"},
            "kafka.sasl_mechanism = PLAIN has no effect with kafka.security_protocol = PLAINTEXT: it "
            "needs SASL_SSL",
        ),
        (
            SCRAM | {"username": ""},
            "kafka.username is missing: kafka.sasl_mechanism = SCRAM-SHA-256 needs it",
        ),
        (
            SCRAM | {"password": None},
            "kafka.password is missing: kafka.sasl_mechanism = SCRAM-SHA-256 needs it",
        ),
        (
            SCRAM | {"oauth": "a:b"},
            "kafka.oauth has no effect with kafka.sasl_mechanism = SCRAM-SHA-256: it needs OAUTHBEARER",
        ),
        (
            SCRAM | {"sasl_mechanism": "OAUTHBEARER", "oauth": "a:b"},
            "kafka.username has no effect with kafka.sasl_mechanism = OAUTHBEARER",
        ),
        (
            {"password": SECRET},
            "kafka.password has no effect with kafka.sasl_mechanism = none: it needs one of PLAIN",
        ),
        (
            {"ca_file": "ca.pem"},
            "kafka.ca_file has no effect with kafka.security_protocol = PLAINTEXT: it needs SSL or SASL_SSL",
        ),
        (
            {"security_protocol": "SSL", "key_file": "key.pem"},
            "kafka.key_file has no effect without kafka.cert_file",
        ),
        (
            {"security_protocol": "SSL", "ca_file": "ca.pem"},
            "kafka.ca_file = ca.pem: cannot be read: No such file or directory",
        ),
        ({"oauth": "token"}, "kafka.oauth = 'token': is no function: write module:function"),
        ({"grace": "6s"}, "kafka.grace = 6s must be longer than kafka.session_timeout = 6s"),
        (
            {"compression": "zip"},
            "kafka.compression = 'zip': Input should be 'gzip', 'snappy', 'lz4', 'zstd' or 'none'",
        ),
        ({"pasword": SECRET}, "kafka.pasword = ***: no such setting: did you mean password?"),
        ({"password": 12345}, "kafka.password = ***: must be text"),
    ],
)
def test_complaints(given: dict[str, Any], message: str) -> None:
    """A wrong setting, or settings that exclude each other, are an error
    that names the right ones, but no secret.
    """
    found = complaint(**given)
    assert found.startswith(message)
    assert SECRET not in found


def test_what_has_no_default() -> None:
    """A missing key is an error that names the flag and the variable; an app cannot read its own topics."""
    with pytest.raises(ConfigError) as caught:
        deployment(KafkaSettings())
    assert ["kafka.bootstrap", "kafka.app", "kafka.inputs"] == [
        line.split()[0] for line in str(caught.value).splitlines()
    ]
    assert "give --input TOPIC or set STREAMS_KAFKA__INPUTS" in str(caught.value)
    with pytest.raises(ConfigError, match=r"shop\.late: this app writes that topic itself"):
        deployment(load_settings(kafka=AT | {"app": "shop", "inputs": ["clicks", "shop.late"]}).kafka)
    with pytest.raises(ConfigError, match=r"kafka\.bootstrap is missing"):
        cluster(KafkaSettings())


def test_a_secret_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret is in check-config, a repr, a dump or the errors of another key."""
    for key, value in SCRAM.items():
        monkeypatch.setenv(f"STREAMS_KAFKA__{key.upper()}", value)
    monkeypatch.setenv("STREAMS_ANNOUNCE__URL", f"https://hooks.example/{SECRET}")
    settings = load_settings()
    (shown,) = lines("check-config", "--json")
    assert ("***", "***", "shop") == tuple(
        shown["settings"][key] for key in ("kafka.password", "announce.url", "kafka.username")
    )
    everywhere = [
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        repr(settings.model_dump()),
        str(shown),
        streams("check-config").stdout,
    ]
    monkeypatch.setenv("STREAMS_KAFKA__GRACE", "1s")
    everywhere.append(streams("check-config").stderr)
    monkeypatch.setenv("STREAMS_ANNOUNCE__URL", SECRET)
    everywhere.append(streams("check-config").stderr)
    assert "announce.url = ***: is no address" in everywhere[-1]
    assert [text for text in everywhere if SECRET in text] == []
    assert settings.kafka.password is not None
    assert SECRET == settings.kafka.password.get_secret_value()


def test_what_a_connection_is_told() -> None:
    """The settings become the arguments of aiokafka; `none` is no compression."""
    made = cluster(load_settings(kafka=AT | SCRAM | {"compression": "zstd"}).kafka)
    assert ("broker:9092", "zstd") == (made.bootstrap, made.compression)
    assert isinstance(made.security["ssl_context"], ssl.SSLContext)
    assert ("SASL_SSL", "SCRAM-SHA-256", "shop", SECRET) == tuple(
        made.security[f"s{key}"]
        for key in ("ecurity_protocol", "asl_mechanism", "asl_plain_username", "asl_plain_password")
    )
    assert ({"security_protocol": "PLAINTEXT"}, None) == (
        (plain := cluster(load_settings(kafka=AT).kafka)).security,
        plain.compression,
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made with openssl")
def test_certificates(tmp_path: Path) -> None:
    """Our certificate is loaded with its key, also with an encrypted
    one, without a question on the terminal.
    """

    def make(name: str, *more: str) -> None:
        options = [
            "-newkey",
            "rsa:2048",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
            "-subj",
            f"/CN={name}",
            "-days",
            "2",
            *more,
        ]
        subprocess.run(["openssl", "req", "-x509", *options], check=True, capture_output=True, cwd=tmp_path)

    make("ours", "-nodes")
    make("locked", "-passout", f"pass:{SECRET}")
    (tmp_path / "both.pem").write_text(
        (tmp_path / "ours.key").read_text() + (tmp_path / "ours.pem").read_text()
    )
    tls = {"security_protocol": "SSL", "ca_file": "ours.pem"}
    for given in ({"cert_file": "ours.pem", "key_file": "ours.key"}, {"cert_file": "both.pem"}):
        assert cluster(load_settings(kafka=AT | tls | given).kafka).security["ssl_context"].get_ca_certs()[0][
            "subject"
        ] == ((("commonName", "ours"),),)
    locked = tls | {"cert_file": "locked.pem", "key_file": "locked.key"}
    cluster(load_settings(kafka=AT | locked | {"key_password": SECRET}).kafka)
    for given, message in (
        (
            locked,
            "kafka.key_file = locked.key: the private key is encrypted: set STREAMS_KAFKA__KEY_PASSWORD",
        ),
        (
            locked | {"key_password": "wrong"},
            "kafka.key_file = locked.key: kafka.key_password does not open the private key",
        ),
        (
            tls | {"cert_file": "locked.pem", "key_file": "ours.key"},
            "kafka.key_file = ours.key: is not the private key of kafka.cert_file = locked.pem",
        ),
        (
            tls | {"cert_file": "ours.pem"},
            "kafka.cert_file = ours.pem, kafka.key_file = none: hold no certificate with its private key",
        ),
        (tls | {"ca_file": "ours.key"}, "kafka.ca_file = ours.key: holds no certificates"),
    ):
        assert complaint(**given).startswith(message)


def test_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens come from the named function, async or not; an error of the function is reported as one."""
    code = (
        "def token(): return 'plain'\n"
        "async def later(): return 'async'\n"
        "def nothing(): return None\n"
        "def broken(): 1 / 0\n"
        "def picky(a): pass\n"
    )
    (tmp_path / "my_tokens.py").write_text(code)
    (tmp_path / "my_broken_tokens.py").write_text("import nothing_like_that")
    monkeypatch.syspath_prepend(tmp_path)

    def tokens(name: str) -> Tokens:
        bearer = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "oauth": name}
        provider = cluster(load_settings(kafka=AT | bearer).kafka).security["sasl_oauth_token_provider"]
        assert isinstance(provider, Tokens)
        return provider

    assert ("plain", "async") == tuple(
        asyncio.run(tokens(name).token()) for name in ("my_tokens:token", "my_tokens:later")
    )
    for name, message in (
        ("my_tokens:nothing", "it must be text that is not empty, but was NoneType"),
        ("my_tokens:broken", "ZeroDivisionError"),
    ):
        with pytest.raises(KafkaConnectionError, match=f"kafka.oauth = {name} gave no token: {message}"):
            asyncio.run(tokens(name).token())
    for name, message in (
        ("my_tokens:picky", "is to be called without arguments, but missing a required argument: 'a'"),
        ("my_tokens:tokn", "my_tokens has no function tokn"),
        ("my_broken_tokens:token", "my_broken_tokens cannot be imported: ModuleNotFoundError"),
    ):
        with pytest.raises(ConfigError, match=f"kafka.oauth = {name}: {message}"):
            tokens(name)
    del sys.modules["my_tokens"]


def test_defaults_are_shown() -> None:
    """The list of settings has the defaults of those for Kafka."""
    rows = {row.key: row for row in describe()}
    assert ("6s", "25ms", "none", "6066", "STREAMS_KAFKA__SESSION_TIMEOUT") == (
        *(
            rows[key].default
            for key in ("kafka.session_timeout", "kafka.commit_interval", "kafka.password", "web.port")
        ),
        rows["kafka.session_timeout"].variable,
    )
