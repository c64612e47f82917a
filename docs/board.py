"""Makes deploy/grafana/journeys.json, the board that Grafana shows, from a list of its panels.

Written by hand the file would be a thousand lines, most of them the same in every panel.
"""

import json
from typing import Any, NamedTuple

DATASOURCE_UID = "streams-prometheus"  # as deploy/grafana/datasource.yaml has it
COLUMNS = 24  # that Grafana divides the width into
# An interval that a rate needs, which Grafana makes of the scrape interval and the width of the graph.
RATE = "$__rate_interval"


class Query(NamedTuple):
    """One query of a panel."""

    expr: str
    legend: str = ""  # `{{label}}` stands for a label's value


class Panel(NamedTuple):
    """One panel: a graph over time, or the number of now."""

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: str = "short"
    stacked: bool = False


def now(metric: str, *labels: str) -> str:
    """A figure of partitions, summed by these labels.

    While a partition changes hands two workers show it, so the greater one is taken first.
    """
    return f"sum by ({', '.join(labels)}) ({of_partitions(metric, *labels)})"


def total(metric: str, *labels: str) -> str:
    """A figure of partitions, summed over all of them."""
    return f"sum({of_partitions(metric, *labels)})"


def of_partitions(metric: str, *labels: str) -> str:
    """A figure of partitions, once for each of them."""
    return f"max by ({', '.join(('partition', *labels))}) ({metric})"


def quantiles(metric: str) -> tuple[Query, ...]:
    """The median and the slowest of a histogram."""
    rates = f"sum by (le) (rate({metric}_bucket[{RATE}]))"
    return tuple(Query(f"histogram_quantile({q}, {rates})", name) for q, name in QUANTILES)


def of_purchases(metric: str) -> str:
    """The share that such purchases have of those of an hour. (None, where there was none.)"""
    bought = of_partitions('streams_journeys{outcome="converted"}')
    return f"sum(delta({of_partitions(metric)}[1h:])) / (sum(delta({bought}[1h:])) > 0)"


QUANTILES = ((0.5, "half"), (0.99, "99 of 100"))

NUMBERS = (
    Panel(
        "Under way", "Open journeys, silent ones included", (Query(total("streams_open_journeys", "moment")),)
    ),
    Panel("Silent", "Open journeys that have stalled", (Query(total("streams_stalled_journeys", "moment")),)),
    Panel(
        "Converted",
        "Over the life of the app",
        (Query('sum(max by (partition) (streams_journeys{outcome="converted"}))'),),
    ),
    Panel(
        "Waiting",
        "Records that are not processed yet",
        (Query(total("streams_consumer_lag_records", "source")),),
    ),
    Panel(
        "Watermark",
        "How old it is in the partition that is furthest behind",
        (Query("max(streams_watermark_lag_seconds)"),),
        "s",
    ),
    Panel("Partitions", "Partitions that workers process", (Query("sum(streams_open_agents)"),)),
)

GRAPHS = (
    (
        Panel(
            "Journeys under way, by moment",
            "Each open journey is in one moment",
            (Query(now("streams_open_journeys", "moment"), "{{moment}}"),),
            stacked=True,
        ),
        Panel(
            "Silent journeys, by moment",
            "Open journeys that are silent for longer than the patience of their moment",
            (Query(now("streams_stalled_journeys", "moment"), "{{moment}}"),),
            stacked=True,
        ),
    ),
    (
        Panel(
            "Opened, converted, abandoned in five minutes",
            "Corrections are part of it, so a late event can take a step back",
            (
                Query(
                    f"sum by (outcome) (delta({of_partitions('streams_journeys', 'outcome')}[5m:]))",
                    "{{outcome}}",
                ),
            ),
        ),
        Panel(
            "Purchases whose journey began as a guest's",
            "Shares of an hour's purchases: stitched over devices; out of nowhere, with nothing before them",
            (
                Query(of_purchases("streams_conversions_stitched"), "stitched"),
                Query(of_purchases("streams_conversions_from_nowhere"), "from nowhere"),
            ),
            "percentunit",
        ),
        Panel(
            "Events per second, by outcome",
            "Each item of the input ends in exactly one way",
            (Query(f"sum by (outcome) (rate(streams_events_total[{RATE}]))", "{{outcome}}"),),
            stacked=True,
        ),
    ),
    (
        Panel(
            "Rejected, late and duplicate events per second",
            "Rejected: could not be read. Late: came too late to count. Duplicate: was known",
            (
                Query(f"sum by (reason) (rate(streams_rejected_total[{RATE}]))", "rejected: {{reason}}"),
                Query(f"sum by (reason) (rate(streams_late_total[{RATE}]))", "late: {{reason}}"),
                Query(f'sum(rate(streams_events_total{{outcome="duplicate"}}[{RATE}]))', "duplicate"),
            ),
        ),
        Panel(
            "Transitions per second",
            "Written, retractions included; and retracted",
            (
                Query(f"sum(rate(streams_transitions_written_total[{RATE}]))", "written"),
                Query(f"sum(rate(streams_transitions_retracted_total[{RATE}]))", "retracted"),
            ),
        ),
    ),
    (
        Panel(
            "Records that wait, by source",
            "Of each partition of the input, and of the inbox",
            (Query(now("streams_consumer_lag_records", "source"), "{{source}}"),),
        ),
        Panel(
            "Age of the watermark, by partition",
            "How far event time has come in what was read, before now",
            (Query(of_partitions("streams_watermark_lag_seconds"), "partition {{partition}}"),),
            "s",
        ),
        Panel(
            "Excluded partitions",
            "Partitions that a partition no longer waits for, since they were silent for too long",
            (Query(of_partitions("streams_excluded_partitions"), "by partition {{partition}}"),),
        ),
        Panel(
            "What is final, behind the watermark",
            "So far other partitions hold back what is final, by partition",
            (Query(of_partitions("streams_settled_lag_seconds"), "partition {{partition}}"),),
            "s",
        ),
    ),
    (
        Panel(
            "Commit",
            "From the beginning of a transaction until it is committed",
            quantiles("streams_commit_latency_seconds"),
            "s",
        ),
        Panel(
            "From the input to the commit",
            "For the oldest record of each batch",
            quantiles("streams_end_to_end_latency_seconds"),
            "s",
        ),
        Panel(
            "Workers",
            "Partitions that are assigned, and that are processed; agents that died in five minutes",
            (
                Query("sum(streams_assigned_partitions)", "assigned"),
                Query("sum(streams_open_agents)", "processed"),
                Query("sum by (reason) (increase(streams_agent_deaths_total[5m]))", "died: {{reason}}"),
            ),
        ),
    ),
)


def board_text() -> str:
    """The board as Grafana reads it."""
    panels: list[dict[str, Any]] = []
    rows = [(("stat", 4), NUMBERS), *[(("timeseries", 8), row) for row in GRAPHS]]
    top = 0
    for (kind, height), row in rows:
        width = COLUMNS // len(row)
        for n, panel in enumerate(row):
            place = {"x": n * width, "y": top, "w": width, "h": height}
            panels.append(_panel(len(panels) + 1, kind, place, panel))
        top += height
    board = {
        "uid": "streams-journeys",
        "title": "Customer journeys",
        "tags": ["customer-journey-streams"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"},
        "panels": panels,
    }
    return json.dumps(board, indent=2) + "\n"


def _panel(number: int, kind: str, place: dict[str, int], panel: Panel) -> dict[str, Any]:
    datasource = {"type": "prometheus", "uid": DATASOURCE_UID}
    defaults: dict[str, Any] = {"unit": panel.unit}
    if kind == "timeseries":
        stacking = {"mode": "normal"} if panel.stacked else {"mode": "none"}
        defaults["custom"] = {"stacking": stacking, "fillOpacity": 20 if panel.stacked else 0}
        options: dict[str, Any] = {
            "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi"},
        }
    else:
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none"}
    return {
        "id": number,
        "type": kind,
        "title": panel.title,
        "description": panel.about,
        "gridPos": place,
        "datasource": datasource,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + n),
                "datasource": datasource,
                "expr": query.expr,
                "legendFormat": query.legend,
                "instant": kind == "stat",
                "range": kind != "stat",
            }
            for n, query in enumerate(panel.queries)
        ],
    }
