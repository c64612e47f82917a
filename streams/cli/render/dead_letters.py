"""Why records were not applied, and what the latest of them looked like."""

from collections import Counter
from collections.abc import Sequence

from msgspec import UNSET
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.dead_letters import LateHeaders, RejectedHeaders
from streams.cli.render.tables import row_count
from streams.cli.screen import plural, printable, span_text, time_text
from streams.queries.dead_letters import DeadLetter

BEGINNING_CHARS = 200  # of a record: more than any screen shows of it


def render(kind: str, reasons: Counter[str], latest: Sequence[DeadLetter], partitions: int) -> RenderableType:
    """The reasons, the most frequent first, then a row per record, oldest first.

    The kind is late or rejected; `partitions` is how many the log has.
    """
    total = reasons.total()
    if not total:
        return f"[dim]{plural(0, f'{kind} record')}[/]"
    counts = Table.grid(padding=(0, 2))
    counts.add_column(justify="right")
    for reason, n in reasons.most_common():
        counts.add_row(f"[bold]{n:,}[/]", Text(reason))
    return Group(counts, "", _rows(latest, partitions), row_count(len(latest), total, f"{kind} record"))


def _rows(latest: Sequence[DeadLetter], partitions: int) -> Table:
    """The records. With a single partition, the offset alone names a record."""
    several = partitions > 1 or any(letter.headers.partition not in (0, UNSET) for letter in latest)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("partition:offset" if several else "offset", justify="right", no_wrap=True)
    table.add_column("reason", no_wrap=True)
    table.add_column("detail", overflow="fold", ratio=3)
    table.add_column("the record", overflow="ellipsis", no_wrap=True, ratio=2)
    for letter in latest:
        table.add_row(
            _place(letter.headers, several=several),
            Text(letter.headers.reason),
            Text(printable(_detail(letter))),
            Text(printable(letter.value[:BEGINNING_CHARS]), style="dim"),
        )
    return table


def _place(headers: LateHeaders | RejectedHeaders, *, several: bool) -> str:
    """Where an item was read; nothing for an event that a device gave, of which that is not known."""
    if headers.offset is UNSET:
        return ""
    return f"{headers.partition}:{headers.offset}" if several else str(headers.offset)


def _detail(letter: DeadLetter) -> str:
    headers = letter.headers
    if isinstance(headers, LateHeaders):
        left_out = f", does not count in {headers.left_out}" if headers.left_out else ""
        left_out += f", of device {headers.device}" if headers.device else ""
        return f"{headers.profile} at {time_text(headers.at)}, {span_text(headers.late_s)} behind{left_out}"
    return headers.detail
