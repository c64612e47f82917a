"""What `streams lag` shows."""

from rich.table import Table

from streams.cli.screen import at, count, span
from streams.core.processing.publisher import rfc3339
from streams.queries.lag import Behind, Lag


def table(lag: Lag, now_ms: int) -> Table:
    """A row per partition and source, and a total."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_footer=True, footer_style="bold")
    made.add_column("partition", "total", justify="right")
    made.add_column("source", overflow="fold")
    made.add_column("position", justify="right")
    made.add_column("end", justify="right")
    made.add_column("lag", f"{lag.total:,}", justify="right")
    made.add_column("event time read", _time(lag.watermark_ms))
    made.add_column("ago", _ago(lag.watermark_ms, now_ms), justify="right")
    before = -1
    for row in lag.sources:
        partition, before = str(row.partition) if row.partition != before else "", row.partition
        made.add_row(
            partition, row.source, "-" if row.position is None else f"{row.position:,}", f"{row.end:,}", count(row.lag),
            _time(row.watermark_ms), _ago(row.watermark_ms, now_ms),
        )  # fmt: skip
    return made


def wire(lag: Lag, now_ms: int) -> dict[str, object]:
    """The same for machines."""
    return {
        "lag": lag.total,
        "watermark": _wire_time(lag.watermark_ms),
        "watermark_lag_s": _wire_ago(lag.watermark_ms, now_ms),
        "partitions": [
            {
                "partition": number,
                "watermark": _wire_time(mark),
                "watermark_lag_s": _wire_ago(mark, now_ms),
                "sources": _wire_rows(lag, number),
            }
            for number, mark in lag.watermarks_ms.items()
        ],
    }


def _wire_rows(lag: Lag, partition: int) -> list[dict[str, object]]:
    return [_wire_row(row) for row in lag.sources if row.partition == partition]


def _wire_row(row: Behind) -> dict[str, object]:
    return {
        "source": row.source,
        "position": row.position,
        "end": row.end,
        "lag": row.lag,
        "watermark": _wire_time(row.watermark_ms),
    }


def _time(ms: int | None) -> str:
    return "-" if ms is None else at(rfc3339(ms))


def _ago(ms: int | None, now_ms: int) -> str:
    return "" if ms is None else span((now_ms - ms) / 1000) if ms <= now_ms else "ahead"


def _wire_time(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)


def _wire_ago(ms: int | None, now_ms: int) -> float | None:
    return None if ms is None else (now_ms - ms) / 1000
