"""How a metric is described."""

from typing import Literal, NamedTuple


class MetricSpec(NamedTuple):
    """One metric."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    about: str
    buckets: tuple[float, ...] = ()
