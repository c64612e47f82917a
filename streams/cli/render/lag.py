"""The lag of an app as a table."""

from rich.table import Table

from streams.cli.screen import count_text, span_text, time_text
from streams.core.processing.json_text import rfc3339
from streams.queries.lag import Lag


def render(lag: Lag, now_ms: int) -> Table:
    """A row per partition and source, and a total."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_footer=True, footer_style="bold")
    table.add_column("partition", "total", justify="right")
    table.add_column("source", overflow="fold")
    table.add_column("position", justify="right")
    table.add_column("end", justify="right")
    table.add_column("lag", f"{lag.total:,}", justify="right")
    table.add_column("event time read", _time(lag.watermark_ms))
    table.add_column("ago", _ago(lag.watermark_ms, now_ms), justify="right")
    partition_above = -1
    for row in lag.sources:
        cells = [
            "" if row.partition == partition_above else str(row.partition),
            row.source,
            "-" if row.position is None else f"{row.position:,}",
            f"{row.end:,}",
            count_text(row.lag),
            _time(row.watermark_ms),
            _ago(row.watermark_ms, now_ms),
        ]
        table.add_row(*cells)
        partition_above = row.partition
    return table


def _time(ms: int | None) -> str:
    return "-" if ms is None else time_text(rfc3339(ms))


def _ago(ms: int | None, now_ms: int) -> str:
    if ms is None:
        return ""
    return span_text((now_ms - ms) / 1000) if ms <= now_ms else "ahead"
