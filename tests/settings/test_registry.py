"""The settings of a schema registry: what does not go together is refused, and no secret is shown."""

from pathlib import Path
from typing import Any

import pytest

from streams.errors import ConfigError
from streams.log.kafka.registry.access import record_decoder, registry_access
from streams.settings.loading import load_settings
from tests.cli.running import streams

SECRET = "s3cr3t"
AT = {"url": "https://registry.example:8081"}


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, but for a file without certificates."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("no certificates", "utf-8")


def complaint(**registry: Any) -> str:
    """The error of reading these settings."""
    with pytest.raises(ConfigError) as caught:
        registry_access(load_settings(registry=registry).registry)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"url": "registry:8081"}, "registry.url = 'registry:8081': is no address of a registry: write https://"),
        ({"url": f"https://shop:{SECRET}@registry"}, "registry.url = ***: is no address of a registry"),
        ({"url": "https://registry?a=b"}, "is no address of a registry"),
        ({"user": "shop", "password": SECRET}, "registry.user has no effect without registry.url"),
        ({"ca_file": "ca.pem"}, "registry.ca_file has no effect without registry.url"),
        (AT | {"user": "shop"}, "registry.password is missing: a name and a password go together"),
        (AT | {"password": SECRET}, "registry.user is missing: a name and a password go together"),
        (AT | {"user": "a", "password": SECRET, "token": SECRET}, "registry.token and registry.user are"),
        (AT | {"token": f"{SECRET}\n"}, "registry.token is empty, or has control characters"),
        (AT | {"user": "a", "password": ""}, "registry.password is empty"),
        (AT | {"user": "a:b", "password": SECRET}, "registry.user has a colon"),
        ({"url": "http://registry", "ca_file": "ca.pem"}, "registry.ca_file has no effect with registry.url"),
        (AT | {"ca_file": "absent.pem"}, "registry.ca_file = absent.pem: cannot be read: No such file"),
        (AT | {"ca_file": "notes.txt"}, "registry.ca_file = notes.txt: holds no certificates"),
        (AT | {"tokn": SECRET}, "registry.tokn = ***: no such setting: did you mean token?"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_is_refused(given: dict[str, Any], message: str) -> None:
    """The message names the key, the value and what would be right."""
    assert message in complaint(**given)


def test_without_an_address_nothing_is_decoded() -> None:
    """And nothing else is to be set."""
    assert record_decoder(load_settings().registry) is None


def test_who_we_are() -> None:
    """A name and a password, or a token, go into a header; a slash at the end of the address goes away."""
    assert ("https://registry/api", {}) == registry_access(
        load_settings(registry={"url": "https://registry/api/"}).registry
    )[:2]
    given = load_settings(registry=AT | {"user": "shop", "password": "geheïm"}).registry
    assert {"Authorization": "Basic c2hvcDpnZWhlw69t"} == registry_access(given).headers
    given = load_settings(registry=AT | {"token": "t0ken"}).registry
    assert {"Authorization": "Bearer t0ken"} == registry_access(given).headers


def test_a_secret_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check-config` shows *** for it, in both forms, wherever it was given."""
    monkeypatch.setenv("STREAMS_REGISTRY__PASSWORD", SECRET)
    Path("streams.toml").write_text(f'[registry]\nurl = "{AT["url"]}"\nuser = "shop"\n', "utf-8")
    for more in ([], ["--json"]):
        result = streams("check-config", *more)
        assert 0 == result.exit_code, result.stderr
        assert "registry.password" in result.stdout
        assert SECRET not in result.stdout + result.stderr


def test_check_config_reads_the_certificates() -> None:
    """It connects to nothing, and reports what is wrong with the file."""
    Path("streams.toml").write_text(f'[registry]\nurl = "{AT["url"]}"\nca_file = "streams.toml"\n', "utf-8")
    result = streams("check-config")
    assert 2 == result.exit_code
    assert "registry.ca_file = streams.toml: holds no certificates" in result.stderr
