import re

from streams.telemetry.metrics import METRICS


def test_names_have_our_prefix_and_counters_their_suffix() -> None:
    """Names are in lower case; counters end in _total, and nothing else does."""
    assert [m.name for m in METRICS if not re.fullmatch(r"streams_[a-z_]+", m.name)] == []
    assert [m.name for m in METRICS if m.name.endswith("_total") != (m.kind == "counter")] == []
    assert len({metric.name for metric in METRICS}) == len(METRICS)
