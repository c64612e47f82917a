"""docs/operations.md and the alerts: what they tell people to type, set and watch exists."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.generate import HERE
from streams.settings.describing import describe
from streams.settings.kafka import deployment
from streams.settings.loading import load_settings
from streams.telemetry.metrics import METRICS
from streams.telemetry.verify_metrics import VERIFY_METRICS
from tests.compose.parsing import parse
from tests.kafka import secure

PAGE = (HERE / "operations.md").read_text("utf-8")
ALERTS: dict[str, Any] = yaml.safe_load(
    (HERE.parent / "deploy" / "prometheus-alerts.yaml").read_text("utf-8")
)
RULES = ALERTS["groups"][0]["rules"]
METRIC = {
    metric.name + suffix
    for metric in (*METRICS, *VERIFY_METRICS)
    for suffix in ("", *(("_bucket", "_sum", "_count") if metric.kind == "histogram" else ()))
}


def blocks(language: str) -> list[str]:
    return [
        text
        for found, text in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        if found == language
    ]


def headings() -> set[str]:
    """As links name them."""
    return {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }


COMMANDS = [
    line
    for block in blocks("")
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("streams ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_can_be_typed(line: str) -> None:
    """The command line takes each as it stands."""
    assert parse(shlex.split(line)[1:])


def test_there_are_commands_to_type() -> None:
    """The page says how to make topics, run, and ask for the lag."""
    assert {"topics", "run", "lag"} <= {shlex.split(line)[1] for line in COMMANDS}


@pytest.mark.parametrize("text", blocks("toml"))
def test_settings_can_be_set(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example is a settings file; a password comes from the environment."""
    file = tmp_path / "streams.toml"
    file.write_text(text, "utf-8")
    if "username" in text:
        monkeypatch.setenv("STREAMS_KAFKA__PASSWORD", "a secret")
    kafka = load_settings(file).kafka
    assert ("shop", ("clicks",)) == deployment(kafka)[1:]
    assert kafka.security_protocol.endswith("SSL")


def test_every_setting_named_is_one() -> None:
    """`kafka.x` and `web.x` in the page are keys of the settings, and variables are theirs."""
    keys, variables = {row.key for row in describe()}, {row.variable for row in describe()}
    named_keys = set(re.findall(r"`((?:kafka|web)\.[a-z_]+)`", PAGE))
    assert {"kafka.instance", "kafka.grace"} <= named_keys <= keys
    assert set(re.findall(r"`(STREAMS_[A-Z_]+)`", PAGE)) <= variables


@pytest.mark.parametrize(
    "text", [*re.findall(r"`([^`]*streams_[^`]*)`", PAGE), *(rule["expr"] for rule in RULES)]
)
def test_every_metric_named_is_shown(text: str) -> None:
    """In the page and in the alerts, with balanced brackets."""
    assert set(re.findall(r"\bstreams_[a-z_]+", text)) <= METRIC
    assert text.count("(") == text.count(")")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    """In words, and by a place in the runbook that exists."""
    assert rule["annotations"]["summary"]
    page, _, place = rule["annotations"]["runbook"].partition("#")
    assert "docs/operations.md" == page
    assert place in headings()


def rights(table: str) -> set[secure.Right]:
    """A table of rights on the page, as a broker has them."""
    number = {
        "Topic": secure.TOPIC,
        "Group": secure.GROUP,
        "Cluster": secure.CLUSTER,
        "TransactionalId": secure.TRANSACTIONAL_ID,
    }
    pattern = {"literal": secure.LITERAL, "prefixed": secure.PREFIXED}
    operation = {
        "Read": secure.READ, "Write": secure.WRITE, "Create": secure.CREATE, "Describe": secure.DESCRIBE,
        "DescribeConfigs": secure.DESCRIBE_CONFIGS
    }  # fmt: skip
    return {
        secure.Right(number[resource], name, pattern[how], "shop", operation[word])
        for resource, name, how, words in re.findall(
            r"^\| (\w+) \| `([^`]+)` \| (\w+) \| ([\w, ]+) \|", table, re.MULTILINE
        )
        for word in words.split(", ")
    }


def test_the_rights_on_the_page_are_those_that_are_tested() -> None:
    """Those with which a worker works and topics are made on a broker
    that asks for rights, neither more nor less.
    """
    section = PAGE.split("## Rights\n")[1].split("\n## ")[0]
    for_workers, for_topics = section.split("*`streams topics`*")
    assert set(secure.worker("shop", "clicks")) == rights(for_workers)
    assert set(secure.maker("shop", "clicks")) == rights(for_topics)


def test_places_in_the_page_exist() -> None:
    """Links within the page lead somewhere."""
    assert [place for place in re.findall(r"\]\(#([^)]+)\)", PAGE) if place not in headings()] == []


def test_the_runbook_has_an_answer_to_each_of_these() -> None:
    """What goes wrong with every deployment sooner or later."""
    wanted = {
        "lag-grows", "fenced-again-and-again", "restoring-takes-long", "rebalance-storm",
        "records-are-rejected", "events-are-late",
        "an-input-was-deleted-and-made-anew", "a-brokers-disk-is-full",
    }  # fmt: skip
    assert wanted <= headings()
