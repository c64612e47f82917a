"""Prometheus and Grafana in docker-compose.yml, without Docker: their files fit together, and every
expression is about metrics that a worker shows.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.board import DATASOURCE_UID
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from streams.telemetry.meters import Meters, UserAgentLag
from streams.telemetry.verify_metrics import VERIFY_METRICS, write_metrics
from tests.compose.files import ROOT, ours, services, words
from tests.compose.promql import Wrong, alerts, board, check, exposed, queries
from tests.queries.written import RULES, did, written

PROMETHEUS = yaml.safe_load((ROOT / "deploy" / "prometheus.yaml").read_text("utf-8"))


def mounted(service: str) -> dict[str, str]:
    """The files of the repository that a service sees: by its own path, ours."""
    volumes = [volume.split(":") for volume in services()[service]["volumes"]]
    return {inside: outside for outside, inside, *_ in volumes if outside.startswith("./")}


async def shown(directory: Path) -> str:
    """/metrics of a worker's agent that has processed something and waits behind a transaction, with an agent
    of a user beside it; and what a verify job has left in this directory.
    """
    records = [did("u:a", "look", 1), did("u:b", "look", 2), did("u:a", "pay", 3), b"nonsense"]
    log = await written(records)
    meters = Meters()
    agent = await PartitionAgent.open(log, 0, Settings(), RULES, observers=(meters.committed,))
    meters.assigned([0])
    meters.opened(0, 0.1, 1)
    meters.blocked(0, {"clicks:0": 0.0})
    meters.stopped("orders")
    meters.funnel_written(12)
    meters.user_agent_lags = lambda: [UserAgentLag("announce", "shop.transitions", 0, 3)]
    await agent.step(checkpoint=True)
    job = directory / "verify.prom"
    values = {"app": "shop", "checked": "yes"}
    write_metrics(
        job,
        "shop",
        {spec: {tuple(values[label] for label in spec.labels[1:]): 1.0} for spec in VERIFY_METRICS},
    )
    return meters.render().decode() + job.read_text("utf-8")


@pytest.mark.parametrize(
    ("expr", "legend"),
    [(expr, legend) for _, expr, legend in queries()],
    ids=[title for title, *_ in queries()],
)
async def test_a_query_of_the_board_finds_something(expr: str, legend: str, tmp_path: Path) -> None:
    """Its metrics and labels are those of a worker, and its legend names labels that the result has."""
    labels = check(expr, exposed(await shown(tmp_path)))
    assert set(re.findall(r"{{(\w+)}}", legend)) == labels, (
        "lines that cannot be told apart, or no such label"
    )


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
async def test_an_alert_can_fire(rule: dict[str, Any], tmp_path: Path) -> None:
    """Its metrics and labels are those of a worker, and its texts name labels that the result has."""
    labels = check(rule["expr"], exposed(await shown(tmp_path)))
    texts = " ".join(rule["annotations"].values())
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= labels


@pytest.mark.parametrize(
    ("expr", "why"),
    [
        ("sum by (moment) (streams_open_journey)", "no metric"),
        ("sum by (monent) (streams_open_journeys)", "no label"),
        ('streams_journeys{outcome="bought"}', "is never 'bought'"),
        ('streams_journeys{kind="opened"}', "has no label kind"),
        ("rate(streams_journeys[5m])", "may fall"),
        ("delta(streams_events_total[5m])", "delta of a counter"),
        ("histogram_quantile(0.5, sum(rate(streams_commit_latency_seconds_bucket[5m])))", "no label le"),
        ("sum by (partition) (max by (moment) (streams_open_journeys))", "no label"),
        ("rate(streams_events_total)", "expected type"),
        ("sum(streams_events_total", "unclosed left parenthesis"),
    ],
)
async def test_a_wrong_expression_would_be_found(expr: str, why: str, tmp_path: Path) -> None:
    """The check tells what would show nothing from what would show something."""
    with pytest.raises(Wrong, match=re.escape(why)):
        check(expr, exposed(await shown(tmp_path)))


def test_the_board_shows_what_somebody_wants_to_know() -> None:
    """Each business figure, and what runs: lag, watermark, exclusions, losses, commits."""
    asked = " ".join(expr for _, expr, _ in queries())
    for name in (
        "streams_open_journeys", "streams_stalled_journeys", "streams_journeys", "streams_events_total",
        "streams_rejected_total", "streams_late_total", "streams_consumer_lag_records",
        "streams_watermark_lag_seconds", "streams_excluded_partitions",
        "streams_settled_lag_seconds", "streams_conversions_stitched", "streams_conversions_from_nowhere",
        "streams_commit_latency_seconds_bucket",
    ):  # fmt: skip
        assert name in asked, name


def test_panels_do_not_cover_each_other() -> None:
    """Each has a number and a place of its own, within the width of the page."""
    panels = board()["panels"]
    places = [panel["gridPos"] for panel in panels]
    taken = [
        (x, y)
        for at in places
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) == 23
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_grafana_finds_its_source_and_its_board() -> None:
    """The source's uid is the one that every panel names; the board lies where its provider looks."""
    (source,) = yaml.safe_load((ROOT / "deploy" / "grafana" / "datasource.yaml").read_text("utf-8"))[
        "datasources"
    ]
    used = {
        target["datasource"]["uid"] for panel in board()["panels"] for target in (panel, *panel["targets"])
    }
    assert {DATASOURCE_UID} == used == {source["uid"]}
    assert "http://prometheus:9090" == source["url"]
    assert {"prometheus", "grafana"} <= set(services())
    (provider,) = yaml.safe_load((ROOT / "deploy" / "grafana" / "boards.yaml").read_text("utf-8"))[
        "providers"
    ]
    path, files = provider["options"]["path"], mounted("grafana")
    assert "./deploy/grafana/journeys.json" == files[f"{path}/journeys.json"]
    home = services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in files
    assert {"/etc/grafana/provisioning/datasources", "/etc/grafana/provisioning/dashboards", path} == {
        file.rpartition("/")[0] for file in files
    }


@pytest.mark.parametrize("service", ["prometheus", "grafana"])
def test_what_is_mounted_is_there(service: str) -> None:
    """And cannot be written by the container."""
    assert [file for file in mounted(service).values() if not (ROOT / file).is_file()] == []
    volumes = [volume for volume in services()[service]["volumes"] if volume.startswith("./")]
    assert [volume for volume in volumes if not volume.endswith(":ro")] == []


def test_prometheus_asks_every_worker_and_knows_the_alerts() -> None:
    """Under the names and the port that Compose gives them."""
    (job,) = PROMETHEUS["scrape_configs"]
    (targets,) = [config["targets"] for config in job["static_configs"]]
    workers = [name for name, service in ours().items() if words(service["command"])[0] == "run"]
    assert sorted(f"{name}:{Settings().web.port}" for name in workers) == sorted(targets)
    files = mounted("prometheus")
    (config,) = [
        word.partition("=")[2]
        for word in services()["prometheus"]["command"]
        if word.startswith("--config.file=")
    ]
    assert "./deploy/prometheus.yaml" == files[config]
    (rules,) = PROMETHEUS["rule_files"]
    assert "./deploy/prometheus-alerts.yaml" == files[f"{config.rpartition('/')[0]}/{rules}"]
