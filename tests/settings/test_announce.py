"""Headers and the template of announce: from a file and the environment, and no secret on the screen."""

from pathlib import Path

import pytest

from docs.generate import HERE
from streams.errors import ConfigError
from streams.settings.loading import load_settings
from tests.cli.running import streams

SECRET = "s3cr3t"


def loaded(text: str, directory: Path) -> dict[str, str]:
    """The headers of a settings file, with their values."""
    file = directory / "streams.toml"
    file.write_text(text, "utf-8")
    return {name: value.get_secret_value() for name, value in load_settings(file).announce.headers.items()}


def test_headers_come_from_the_file_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable has _ for -, and beats the file, however the name is written there."""
    monkeypatch.setenv("STREAMS_ANNOUNCE__HEADERS__X_API_KEY", SECRET)
    text = '[announce.headers]\nAuthorization = "Bearer x"\nX-Api-Key = "old"\n'
    assert {"authorization": "Bearer x", "x-api-key": SECRET} == loaded(text, tmp_path)


def test_a_value_is_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`check-config` shows *** for it, in both forms."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STREAMS_ANNOUNCE__HEADERS__AUTHORIZATION", f"Bearer {SECRET}")
    for more in ([], ["--json"]):
        result = streams("check-config", *more)
        assert 0 == result.exit_code, result.stderr
        assert "announce.headers.authorization" in result.stdout
        assert SECRET not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'headers = "{SECRET}"', "announce.headers = ***: must be a table"),
        (f'headers = {{ a = ["{SECRET}"] }}', "announce.headers.a = ***: must be text"),
        (f'headers = {{ Host = "{SECRET}" }}', "announce.headers: host is set by the program: leave it out"),
        (f'header = {{ a = "{SECRET}" }}', "announce.header = ***: no such setting: did you mean headers?"),
        (f'headers = {{ a = "{SECRET}\\n" }}', "announce.headers: the value of a is empty, or is no plain"),
        ("template = '$profil'", "announce.template = '$profil': has no field profil: write one of id, rev,"),
    ],
)
def test_a_wrong_one_is_named(text: str, message: str, tmp_path: Path) -> None:
    """The error names the key and what would be right, and no value of a header."""
    with pytest.raises(ConfigError) as refused:
        loaded(f"[announce]\n{text}\n", tmp_path)
    assert message in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_on_the_page_are_settings(number: int, tmp_path: Path) -> None:
    """Each example of docs/agents.md is a settings file; its template can be filled in."""
    page = (HERE / "agents.md").read_text("utf-8")
    file = tmp_path / "streams.toml"
    file.write_text(page.split("```toml\n")[1 + number].split("```")[0], "utf-8")
    announce = load_settings(file).announce
    assert announce.url is not None
    assert bool(number) == bool(announce.headers) == bool(announce.template)
