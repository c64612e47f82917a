"""The lag of an app as a table."""

from rich.table import Table

from streams.cli.screen import count_text, plural, span_text, time_text
from streams.core.processing.json_text import rfc3339
from streams.queries.lag import Hidden, Lag

UNKNOWN = "unknown"  # in place of a number that nobody can give yet


def render(lag: Lag, now_ms: int) -> Table:
    """A row per partition and source, and a total. Hidden records have a column where there are some."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_footer=True, footer_style="bold")
    table.add_column("partition", "total", justify="right")
    table.add_column("source", overflow="fold")
    table.add_column("position", justify="right")
    table.add_column("end", justify="right")
    table.add_column("lag", UNKNOWN if lag.total is None else f"{lag.total:,}", justify="right")
    hidden = sum(row.hidden.records for row in lag.sources if row.hidden is not None)
    if hidden:
        table.add_column("hidden", f"{hidden:,}", justify="right")
    table.add_column("event time read", _time(lag.watermark_ms))
    table.add_column("ago", _ago(lag.watermark_ms, now_ms), justify="right")
    partition_above = -1
    for row in lag.sources:
        cells = [
            "" if row.partition == partition_above else str(row.partition),
            row.source,
            "-" if row.position is None else f"{row.position:,}",
            f"{row.end:,}",
            UNKNOWN if row.lag is None else count_text(row.lag),
            *([count_text(row.hidden.records if row.hidden else 0)] if hidden else []),
            _time(row.watermark_ms),
            _ago(row.watermark_ms, now_ms),
        ]
        table.add_row(*cells)
        partition_above = row.partition
    return table


def hidden_lines(lag: Lag) -> list[str]:
    """A sentence for each source of which records wait behind an open transaction."""
    lines = []
    for row in lag.sources:
        if row.hidden is not None:
            wait = "waits" if row.hidden.records == 1 else "wait"
            records = plural(row.hidden.records, "record")
            lines.append(f"{records} of {row.source} {wait} behind a transaction that {_since(row.hidden)}")
    return lines


def unread_lines(lag: Lag) -> list[str]:
    """A sentence for each input of which nothing is read any more."""
    return [
        *(f"{topic} is stopped, and not counted here: {reason}" for topic, reason in lag.stopped.items()),
        *(f"{topic} does not exist any more, and is not counted here" for topic in lag.deleted),
    ]


def _since(hidden: Hidden) -> str:
    if hidden.since_ms is None:
        return f"is open at offset {hidden.first}; the broker does not say whose it is, and since when"
    since = _time(hidden.since_ms)
    return f"has been open since {since} (transactional id {hidden.transaction}, offset {hidden.first})"


def _time(ms: int | None) -> str:
    return "-" if ms is None else time_text(rfc3339(ms))


def _ago(ms: int | None, now_ms: int) -> str:
    if ms is None:
        return ""
    return span_text((now_ms - ms) / 1000) if ms <= now_ms else "ahead"
