"""Helpers of the tests of moments: the shipped rules, and an event with a few fields."""

from typing import Any

from streams.core.ingest.event import Event
from streams.core.moments.classifier import Classifier
from streams.core.moments.rules import default_rules, load_rules

DEFAULT = default_rules()
SHIPPED = Classifier(DEFAULT)


def event(
    name: str = "",
    kind: str = "track",
    properties: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
) -> Event:
    """An event of one person."""
    return Event("e-1", 0, 0, "device-1", None, kind, name, properties or {}, context or {})


def classifier(text: str) -> Classifier:
    """A classifier that reads by these rules."""
    return Classifier(load_rules(text))
