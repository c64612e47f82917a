"""Settings are read from a file, the environment and flags, and wrong ones are named with their origin."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from streams.errors import ConfigError
from streams.settings.describing import describe
from streams.settings.fold import FoldSettings
from streams.settings.loading import load_settings
from streams.settings.tables import Settings

HOUR = 3_600_000


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory and none of our variables."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("STREAMS_")]:
        monkeypatch.delenv(name)


def write(text: str, name: str = "streams.toml") -> Path:
    """A settings file in the working directory."""
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def complaint(file: Path | None = None, **flags: object) -> str:
    """The error of `load_settings`."""
    with pytest.raises(ConfigError) as caught:
        load_settings(file, **flags)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_defaults_need_nothing() -> None:
    """Without a file, a variable or a flag, the settings are the defaults."""
    assert Settings() == load_settings()
    assert (3 * 24 * HOUR, 4 * HOUR, 24 * HOUR, HOUR) == tuple(ms for _, ms in load_settings().patience)


def test_flags_over_environment_over_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag beats a variable, and a variable beats the file; tables are joined key by key."""
    write('batch = 1\nskew = "1m"\ndata_dir = "file"\n[patience]\nbuy = "2h"\ngo = "5h"\n')
    monkeypatch.setenv("STREAMS_BATCH", "2")
    monkeypatch.setenv("STREAMS_SKEW", "2m")
    monkeypatch.setenv("STREAMS_PATIENCE__BUY", "3h")
    settings = load_settings(batch=3, skew=None)
    assert (3, 120_000, Path("file")) == (settings.batch, settings.skew, settings.data_dir)
    assert (3 * HOUR, 5 * HOUR) == (settings.patience.buy, settings.patience.go)


def test_a_named_file_alone_counts() -> None:
    """A named file is read in place of streams.toml."""
    write("batch = 1\n")
    assert load_settings(write('skew = "1m"\n', "other.toml")).batch == Settings().batch


def test_an_empty_variable_was_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable leaves the default."""
    monkeypatch.setenv("STREAMS_PARTITIONS", "")
    assert load_settings().partitions is None


@pytest.mark.parametrize(
    "value",
    [
        "properties.category, properties.products.category",
        '["properties.category", "properties.products.category"]',
    ],
)
def test_lists_in_the_environment(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is written with commas or as JSON."""
    monkeypatch.setenv("STREAMS_NEED", value)
    assert load_settings().need == ("properties.category", "properties.products.category")


def test_a_dimension_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dimension can be set whole by variables, and comes after the built-in ones."""
    monkeypatch.setenv("STREAMS_DIMENSIONS__COUNTRY__VALUES", "it, es")
    monkeypatch.setenv("STREAMS_DIMENSIONS__COUNTRY__PATH", "context.country")
    monkeypatch.setenv("STREAMS_DIMENSIONS__COUNTRY__ALIASES", '{"italia": "it"}')
    dimensions = load_settings().dimensions
    assert list(dimensions) == ["device", "channel", "country"]
    assert (("it", "es"), {"italia": "it"}) == (dimensions["country"].values, dimensions["country"].aliases)


def test_values_of_a_built_in_dimension_can_be_replaced() -> None:
    """New values keep the path of the dimension, and those aliases that still stand for one of the values."""
    write('[dimensions.channel]\nvalues = ["web", "shop"]\n')
    channel = load_settings().dimensions["channel"]
    assert (("web", "shop"), None, {"browser": "web"}) == (channel.values, channel.path, channel.aliases)


def test_variables_of_kubernetes_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that Kubernetes sets for a service called `streams` are no errors."""
    for name in ("STREAMS_SERVICE_HOST", "STREAMS_PORT", "STREAMS_PORT_80_TCP_ADDR"):
        monkeypatch.setenv(name, "10.0.0.1")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batches = 3", "batches = 3: no such setting: did you mean batch? (streams.toml)"),
        ('[patience]\nbye = "1h"', "patience.bye = '1h': no such setting: did you mean buy? (streams.toml)"),
        (
            '[patience]\nbuy = "a week"',
            "patience.buy = 'a week': is no duration: write a number and a unit, such as 90s, 30m, 4h or 3d",
        ),
        ('patience = "1h"', "patience = '1h': must be a table (streams.toml)"),
        ('[patience]\nknow = "30d"', "patience.know = 30d must be shorter than abandon_after = 30d"),
        ('join_window = "91d"', "join_window = 91d must not be longer than refund_window = 90d"),
        ('purchase_grace = "91d"', "purchase_grace = 91d must not be longer than refund_window = 90d"),
        ("allowed_lateness = 0", "allowed_lateness = 0: must be longer than nothing (streams.toml)"),
        ("partitions = 1025", "partitions = 1025: Input should be less than or equal to 1024 (streams.toml)"),
        ("batch = 0", "batch = 0: Input should be greater than or equal to 1 (streams.toml)"),
        ('log_format = "xml"', "log_format = 'xml': Input should be 'console' or 'json' (streams.toml)"),
        ('need = "category"', "need.0 = 'category': is no path into an event: write properties.x"),
        ('tenant = "properties"', "tenant = 'properties': is no path into an event"),
        (
            '[dimensions.country]\nvalues = ["it"]',
            "dimensions.country.path is missing; only device and channel are read without one",
        ),
        (
            '[dimensions.country]\npath = "context.country"',
            "dimensions.country.values: is missing (streams.toml)",
        ),
        (
            '[dimensions.device]\nvalues = ["tv", "TV"]',
            "dimensions.device.values has 'tv': each value once, regardless of case",
        ),
        (
            '[dimensions.device]\nvalues = ["other"]',
            "dimensions.device.values has 'other': it is always there",
        ),
        (
            '[dimensions.device]\naliases = { watch = "wrist" }',
            "dimensions.device.aliases.watch = 'wrist': an alias is",
        ),
        ('[dimensions.Land]\nvalues = ["it"]\npath = "context.country"', "dimensions: 'Land' is no name"),
        (
            'format = "ga5"',
            "format = 'ga5': is no format; there are: auto, ",
        ),
        ('format = "mapping"', "format = 'mapping': reads records by a mapping, and there is none"),
        ('zone = "Rome"', "zone = 'Rome': is no time zone: write its IANA name, such as Europe/Rome"),
        ('[inputs.a]\nzone = "Rome"', "inputs.a.zone = 'Rome': is no time zone"),
        ('[inputs.a]\nformat = "ga5"', "inputs.a.format = 'ga5': is no format"),
        ('[inputs.a]\nformat = "mapping"', "inputs.a: format = 'mapping': reads records by a mapping"),
        ('[inputs.a]\nformats = "auto"', "inputs.a.formats = 'auto': no such setting: did you mean format?"),
        ("[inputs.a]\nmap = {}", "inputs.a.map: nothing is mapped to timestamp (when an event happened)"),
        ('[inputs.a]\nmap = { timestamp = "t" }', "inputs.a.map: nothing is mapped to userId or anonymousId"),
        (
            '[inputs.a]\nmap = { timestamp = "t", user = "u" }',
            "inputs.a.map: user = 'u': 'user' is no field; the fields are: messageId",
        ),
        (
            '[inputs.a]\nmap = { timestamp = "", userId = "u" }',
            "inputs.a.map: timestamp = '': names nothing: write where a record has it",
        ),
        (
            '[inputs.a]\nformat = "segment"\nmap = { timestamp = "t", userId = "u" }',
            "inputs.a: format = 'segment': has fields of its own: a mapping is for the format mapping",
        ),
        (
            '[inputs.web]\nzone = "UTC"\n[kafka]\ninputs = ["clicks", "orders"]',
            "inputs.web: no such topic is read; kafka.inputs has clicks, orders",
        ),
        (
            'robots = ["Probe"]\nnot_robots = ["probe "]',
            "robots and not_robots both have 'probe': leave it in one of them",
        ),
        (
            'robots = [" "]',
            "robots = [' ']: ' ' is in any user agent; write a part of a robot's, such as `probe/`",
        ),
        (
            'consent_categories = ["--"]',
            "consent_categories = ['--']: '--' names no category; write its id as the consent tool has it",
        ),
        ('not_placeholders = ["bob"]', "not_placeholders = ['bob']: 'bob' is none of the shipped words"),
        (
            'placeholders = ["Guest"]\nnot_placeholders = ["guest "]',
            "placeholders and not_placeholders both have 'guest': leave it in one of them",
        ),
        ("identity = true", "identity = True: must be a table (streams.toml)"),
        ('[identity]\non = "maybe"', "identity.on = 'maybe': Input should be a valid boolean"),
        ("[identity]\nbackward = 1", "identity.backward = 1: no such setting: did you mean back?"),
        ('[identity]\nback = "-7d"', "identity.back = '-7d': is no duration: write a number and a unit"),
        ('[identity]\nforward = "11y"', "identity.forward = '11y': is no duration"),
        (
            "[identity]\nshared_above = 0",
            "identity.shared_above = 0: Input should be greater than or equal to 1 (streams.toml)",
        ),
        (
            "[identity]\nshared_above = 257",
            "identity.shared_above = 257: Input should be less than or equal to 256 (streams.toml)",
        ),
        ('[identity]\nignore = "agent"', "identity.ignore = 'agent': is no path into an event: write"),
        (
            '[identity]\ncollective = ["till-1", " "]',
            "identity.collective = ['till-1', ' ']: ' ' is no name: write a user's id as events carry it",
        ),
        (
            '[identity]\nnot_collective = ["bob"]',
            "identity.not_collective = ['bob']: 'bob' is none of the shipped names; docs/input.md has",
        ),
        (
            '[identity]\ncollective = ["Test"]\nnot_collective = ["test "]',
            "identity.collective and identity.not_collective both have 'test': leave it in one of them",
        ),
        ("batch = !", "settings file streams.toml is not TOML: Invalid value (at line 1, column 9)"),
    ],
)
def test_complaints(text: str, message: str) -> None:
    """A wrong setting is named with its value, what would be right, and where it came from."""
    write(text)
    assert complaint().startswith(message)


def test_every_wrong_key_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """All errors are reported at once, one per line, each with its own origin."""
    write('skew = "soon"')
    monkeypatch.setenv("STREAMS_PATIENCE__GO", "never")
    monkeypatch.setenv("STREAMS_BACH", "7")
    lines = complaint(idle_after="later").splitlines()
    assert [
        "STREAMS_BACH is no setting: did you mean batch?",
        "(STREAMS_PATIENCE__GO)",
        "(streams.toml)",
        "(--idle-after)",
    ] == [
        lines[0],
        *(line[line.rindex("(") :] for line in lines[1:]),
    ]


@pytest.mark.parametrize("name", ["STREAMS_DATA_DIR__X", "STREAMS_", "STREAMS_FOLD__HORIZON"])
def test_strange_variables(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with our prefix that is no setting is an error."""
    monkeypatch.setenv(name, "1")
    assert complaint().startswith(f"{name} is no setting")


def test_a_table_is_not_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table in one variable that is not JSON is an error, which shows the right way."""
    monkeypatch.setenv("STREAMS_PATIENCE", "1h")
    assert "STREAMS_PATIENCE__BUY=2h" in complaint()


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A named file that is missing, a folder or not UTF-8 is an error that names it."""
    assert complaint(Path("none.toml")).startswith("settings file none.toml does not exist")
    assert complaint(tmp_path).startswith(f"settings file {tmp_path} cannot be read")
    Path("latin.toml").write_bytes(b'data_dir = "caf\xe9"')
    assert complaint(Path("latin.toml")) == "settings file latin.toml is not UTF-8 text: byte 15 is 0xe9"


def test_too_many_combinations() -> None:
    """Dimensions whose values make more combinations than a signal can keep are refused."""
    values = ", ".join(f'"v{n}"' for n in range(300))
    write(
        "".join(f'[dimensions.{name}]\npath = "context.{name}"\nvalues = [{values}]\n' for name in ("a", "b"))
    )
    assert "combinations, more than 65536" in complaint()


def fold(**given: object) -> FoldSettings:
    """Fold settings as a file would give them."""
    return FoldSettings.model_validate(given)


def test_equal_fold_settings_have_equal_records() -> None:
    """The record does not depend on how a value was written, or on the order of dimensions."""
    one, two = {"path": "context.one", "values": ["x"]}, {"path": "context.two", "values": ["y"]}
    written = fold(patience={"buy": "60m"}, allowed_lateness=172_800, dimensions={"one": one, "two": two})
    otherwise = fold(patience={"buy": 3600}, allowed_lateness="2d", dimensions={"two": two, "one": one})
    assert written.record() == otherwise.record()
    assert list(written.dimensions) == list(otherwise.dimensions)


def test_the_record_is_of_the_fold_settings_alone() -> None:
    """Settings that do not change what is counted may differ."""
    assert load_settings(batch=7, skew="1s").fold.record() == Settings().record() == FoldSettings().record()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, None),
        ({"patience": {"buy": "2h"}}, "patience.buy: stored 1h, given 2h"),
        (
            {"allowed_lateness": "3d", "need": ["properties.category"]},
            "allowed_lateness: stored 48h, given 3d\nneed: stored none, given properties.category",
        ),
        (
            {"dimensions": {"channel": {"values": ["web", "server"]}}},
            "dimensions.channel.aliases.android: stored app, given nothing\n",
        ),
        ({"identity": {"back": "0s"}}, "identity.back: stored 7d, given 0s"),
    ],
)
def test_difference(given: Mapping[str, object], message: str | None) -> None:
    """Only the keys that differ are named, each with the stored and the given value."""
    found = fold(**given).difference(FoldSettings().record())
    assert found == message if message is None else found is not None and found.startswith(message)


def test_settings_that_an_older_release_did_not_have() -> None:
    """A record without a whole table differs in one line, which says that no setting puts it back."""
    stored = json.loads(FoldSettings().record())
    del stored["identity"]
    found = fold(abandon_after="31d").difference(json.dumps(stored).encode())
    assert (
        "identity: the release that folded the data did not have it, so no setting puts it back\n"
        "abandon_after: stored 30d, given 31d"
    ) == found


def test_names_of_collective_users_have_one_form() -> None:
    """Neither the order, the case nor blanks of names make other settings."""
    one = fold(identity={"collective": ["till-2", " Till-1", "TILL-2"]})
    assert ("till-1", "till-2") == one.identity.collective
    assert one.record() == fold(identity={"collective": "till-1, till-2"}).record()


def test_fold_settings_are_frozen() -> None:
    """A setting cannot be changed."""
    with pytest.raises(ValueError, match="frozen"):
        FoldSettings().allowed_lateness = 1  # type: ignore[misc]  # what must not be done


def test_every_setting_is_described() -> None:
    """Each setting has a meaning, a variable named after its key, and is known as fixed or not."""
    rows = describe()
    assert all(row.meaning for row in rows)
    assert {row.key.partition(".")[0] for row in rows} == set(Settings.model_fields)
    assert {row.key.partition(".")[0] for row in rows if row.fold} == set(FoldSettings.model_fields)
    assert all(row.variable == "STREAMS_" + row.key.upper().replace(".", "__") for row in rows)
