"""Checks PromQL against what workers and jobs show: metrics and labels exist, functions fit their kinds.

    python -m tests.compose.promql

prints all expressions of the board as a file of recording rules, for `promtool check rules`.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser as promql
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.compose.files import ROOT

OF_THE_SCRAPE = {"instance", "job"}  # labels that Prometheus adds
OF_COUNTERS = {"rate", "irate", "increase", "resets"}
OF_GAUGES = {"delta", "idelta", "deriv", "predict_linear"}


class Series(NamedTuple):
    """The series of one name that a worker shows."""

    kind: str  # counter, gauge or histogram
    labels: dict[str, set[str]]  # with their values


class Wrong(Exception):
    """An expression that could show nothing, or something else than it says."""


def exposed(page: str) -> dict[str, Series]:
    """What a page of /metrics shows, by the name of the sample."""
    found: dict[str, Series] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            series = found.setdefault(sample.name, Series(family.type, {}))
            for label, value in sample.labels.items():
                series.labels.setdefault(label, set()).add(value)
    return found


def check(expr: str, shown: dict[str, Series]) -> set[str]:
    """The labels that the result has. Raises Wrong."""
    try:
        tree = promql.parse(expr.replace("$__rate_interval", "1m"))
    except ValueError as error:
        raise Wrong(str(error)) from error
    return _labels(tree, shown)


def _labels(node: promql.Expr, shown: dict[str, Series]) -> set[str]:
    match node:
        case promql.VectorSelector():
            return _selected(node, shown)
        case promql.MatrixSelector():
            return _selected(node.vector_selector, shown)
        case promql.AggregateExpr():
            inner = _labels(node.expr, shown)
            by = set(node.modifier.labels) if node.modifier else set()
            if missing := by - inner:
                raise Wrong(f"{node.prettify()}: no label {missing}")
            without = node.modifier is not None and node.modifier.type == promql.AggModifierType.Without
            return inner - by if without else by
        case promql.Call():
            return _called(node, shown)
        case promql.BinaryExpr():
            return _labels(node.lhs, shown) | _labels(node.rhs, shown)
        case promql.ParenExpr() | promql.SubqueryExpr() | promql.UnaryExpr():
            return _labels(node.expr, shown)
        case promql.NumberLiteral() | promql.StringLiteral():
            return set()
    raise Wrong(f"{node!r} is not known here")


def _selected(node: promql.VectorSelector, shown: dict[str, Series]) -> set[str]:
    series = shown.get(node.name or "")
    if series is None:
        raise Wrong(f"no metric {node.name}")
    for matcher in node.matchers.matchers:
        values = series.labels.get(matcher.name)
        if values is None:
            raise Wrong(f"{node.name} has no label {matcher.name}")
        if matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual):
            met = matcher.value in values
        else:
            met = any(re.fullmatch(matcher.value, value) for value in values)
        if not met:
            raise Wrong(f"{node.name}: {matcher.name} is never {matcher.value!r}")
    return set(series.labels) | OF_THE_SCRAPE


def _called(node: promql.Call, shown: dict[str, Series]) -> set[str]:
    name = node.func.name
    labels = [_labels(argument, shown) for argument in node.args]
    for kind in {shown[selector].kind for selector in selectors(node)}:
        if name in OF_COUNTERS and kind == "gauge":
            raise Wrong(f"{name} of a gauge, which may fall: {node.prettify()}")
        if name in OF_GAUGES and kind != "gauge":
            raise Wrong(f"{name} of a {kind}: {node.prettify()}")
    if name == "histogram_quantile":
        if "le" not in labels[1]:
            raise Wrong(f"no label le: {node.prettify()}")
        return labels[1] - {"le"}
    return set() if name in ("scalar", "absent") else set().union(*labels)


def selectors(node: promql.Expr) -> set[str]:
    """The names of all metrics in an expression."""
    names: set[str] = set()

    def visit(found: promql.Expr) -> None:
        if isinstance(found, promql.VectorSelector):
            names.add(found.name or "")
        elif isinstance(found, promql.MatrixSelector):
            names.add(found.vector_selector.name or "")

    promql.walk(node, pre_visit=visit)
    return names


def board() -> dict[str, Any]:
    """The board that Grafana shows."""
    found: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "journeys.json").read_text("utf-8"))
    return found


def queries() -> Iterator[tuple[str, str, str]]:
    """All queries of the board: the panel's title, the expression, the legend."""
    for panel in board()["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def alerts() -> list[dict[str, Any]]:
    """All alerts."""
    text = (ROOT / "deploy" / "prometheus-alerts.yaml").read_text("utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


if __name__ == "__main__":
    rules = [
        {"record": f"board:query_{n}", "expr": expr.replace("$__rate_interval", "1m")}
        for n, (_, expr, _) in enumerate(queries())
    ]
    print(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
