"""`streams replay`: puts a whole file in."""

import asyncio
import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import (
    DataDirOption,
    FormatOption,
    MapOption,
    PartitionsOption,
    RulesOption,
    input_format,
    rules_of,
    settings_of,
)
from streams.cli.progress import Work
from streams.cli.screen import plural
from streams.cli.stopping import StopRequest
from streams.errors import InputError

if TYPE_CHECKING:
    from streams.core.moments.rules import Rules
    from streams.runtime.embedded import Replayed
    from streams.settings.tables import Settings
    from streams.sources.input_file import InputFile

ADVICE: Mapping[str, str] = {
    "lateness": (
        "older than the allowed lateness. Is the file in order of time? If it is not, sort it, or set "
        "allowed_lateness higher; then replay it into a new data directory"
    ),
    "over_cap": "older than the signals that are kept of a very busy person, or about needs too many only",
}
"""What to do about late events, by reason."""


def replay_command(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="JSON lines or CSV, plain or gzip (.gz).", show_default=False),
    ],
    *,
    source_format: FormatOption = "segment",
    columns: MapOption = None,
    rules: RulesOption = None,
    data_dir: DataDirOption = None,
    partitions: PartitionsOption = None,
) -> None:
    """Reads a whole file, then stops. Each event of the file counts once, however often the file is replayed.

    Events that cannot be read are reported; the exit code is 2 if no event of the file could be.
    Event time alone moves the timers, so the result does not depend on when it runs. A replay that was
    stopped goes on where it was.
    """
    from streams.sources.input_file import InputFile

    settings = settings_of(ctx, data_dir=data_dir, rules=rules, partitions=partitions)
    loaded, wanted = rules_of(settings), input_format(source_format, columns)
    asyncio.run(_replay(settings, loaded, file, InputFile(file, wanted)))


async def _replay(settings: "Settings", rules: "Rules", path: Path, file: "InputFile") -> None:
    from streams.queries.dead_letters import count_reasons
    from streams.queries.funnel import count_events
    from streams.runtime.embedded import Embedded, Progress
    from streams.topology import LATE, REJECTED

    with file.lines, StopRequest() as stop, Work(f"replay {path.name}") as work:

        def on_progress(progress: Progress) -> None:
            done = work.done_before + progress.records  # since the beginning of the file, like its bytes
            work.update(done, progress.bytes_read, progress.total_bytes)
            stop.check(
                f"{plural(done, 'event')} of {path.name} are in {settings.data_dir}; the same command goes "
                "on from there"
            )

        embedded = await Embedded.open(settings, rules)
        try:
            work.done_before = await embedded.log.position(file.name)
            before = [await count_reasons(embedded.log, topic) for topic in (REJECTED, LATE)]
            received = (await count_events(embedded.log)).received
            replayed = await embedded.replay(file, on_progress)
            received = (await count_events(embedded.log)).received - received
            after = [await count_reasons(embedded.log, topic) for topic in (REJECTED, LATE)]
        finally:
            await embedded.close()
    rejected, late = (now - then for now, then in zip(after, before, strict=True))
    _report(settings.data_dir, replayed, work.seconds, rejected, late)
    if received and not replayed.skipped and rejected.total() == received:
        raise InputError(
            f"{str(path)!r} is not what it was read as (--format): none of its events could be read. It "
            "changed no journey."
        )


def _report(
    data_dir: Path, replayed: "Replayed", seconds: float, rejected: Counter[str], late: Counter[str]
) -> None:
    from streams.core.processing.dead_letters import NEEDS_FULL

    lines = [f"{plural(replayed.records, 'event')} replayed into {data_dir} in {seconds:.1f} s"]
    if replayed.skipped:
        lines[0] += f"; {replayed.skipped:,} had been replayed before"
    option = f"--data-dir {shlex.quote(str(data_dir))}"
    if rejected:
        lines.append(f"{_counts(rejected)} could not be read: `streams rejected {option}` shows them")
    narrowed = late.pop(NEEDS_FULL, 0)
    if late:
        lines.append(f"{_counts(late)} came too late to count: `streams late {option}` shows them")
        lines += [f"  {reason}: {ADVICE[reason]}" for reason in sorted(late)]
    if narrowed:
        lines.append(
            f"{plural(narrowed, 'event')} counted, but not in all needs: a very busy person had no place for "
            f"more. `streams late {option}` shows them"
        )
    print(*lines, sep="\n", file=sys.stderr)


def _counts(reasons: Counter[str]) -> str:
    return f"{reasons.total():,} ({', '.join(f'{n:,} {reason}' for reason, n in reasons.most_common())})"
