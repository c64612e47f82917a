"""What the commands share that list records: which records, in what form, and whether new ones follow."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from streams.cli.latest import Latest
from streams.cli.screen import emit_line
from streams.cli.time_options import time_range
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.log.port import Reader
    from streams.queries.listing import Listed
    from streams.queries.time_range import TimeRange
    from streams.topology import Topic

FOLLOW_EVERY_S = 0.2  # between looks for more; each is a query per partition

LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        metavar="N",
        help="Only the latest N. [default: 20 in a table, all with --json]",
        show_default=False,
    ),
]
JsonLinesOption = Annotated[
    bool, typer.Option("--json", help="Print JSON, for machines: one object per line.")
]
FollowOption = Annotated[
    bool, typer.Option("--follow", help="With --json: go on with those that come, until Ctrl-C.")
]


class ListFlags(NamedTuple):
    """Which records a person wants, and how. None: the option was not given."""

    since: str | None = None
    until: str | None = None
    limit: int | None = None
    json: bool = False
    follow: bool = False

    def times(self) -> "TimeRange":
        """The range of times. Raises ConfigError, also for options that do not go with --follow."""
        if self.follow and (self.until is not None or self.limit is not None or not self.json):
            raise ConfigError(
                "--follow: it prints everything as it comes: with --json, without --limit and --until"
            )
        return time_range(self.since, self.until)


async def emit_listed(
    listed: "AsyncIterator[Listed]", limit: int | None, line_of: "Callable[[Listed], bytes]"
) -> None:
    """Prints a line for each record, as they lie in the topic; with a limit, the latest, oldest first."""
    if limit is None:
        async for one in listed:
            emit_line(line_of(one))
        return
    latest = Latest["Listed"](limit)
    async for one in listed:
        latest.add(one.time_ms, one)
    for one in latest.rows:
        emit_line(line_of(one))


async def emit_followed(
    reader: "Reader",
    topic: "Topic",
    times: "TimeRange",
    line_of: "Callable[[Listed], bytes]",
    wanted: bytes = b"",
) -> None:
    """Prints a line for each record of the topic whose value has `wanted` in it, and for those that come."""
    from streams.queries.listing import follow_records

    async for one in follow_records(reader, topic, times, _pause):
        if wanted in (one.record.value or b""):
            emit_line(line_of(one))


async def _pause() -> None:
    """Shows what was printed, and waits for more."""
    sys.stdout.flush()
    await asyncio.sleep(FOLLOW_EVERY_S)


def value_line(listed: "Listed") -> bytes:
    """The value of a record, as it was published."""
    return listed.record.value or b""
