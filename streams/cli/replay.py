"""`streams replay`: puts a whole file in."""

import asyncio
import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from streams.cli.options import (
    DataDirOption,
    FormatOption,
    MapOption,
    PartitionsOption,
    RulesOption,
    ZoneOption,
    input_format,
    rules_of,
    settings_of,
)
from streams.cli.progress import Work
from streams.cli.screen import plural, time_text
from streams.cli.stopping import StopRequest
from streams.clock import Clock
from streams.errors import ConfigError, InputError

if TYPE_CHECKING:
    from streams.core.moments.rules import Rules
    from streams.log.port import Reader
    from streams.runtime.embedded import Embedded, Progress, Replayed
    from streams.settings.tables import Settings
    from streams.sources.finite_input import FiniteInput

ADVICE: Mapping[str, str] = {
    "lateness": (
        "older than what the data directory held already, by more than the allowed lateness. Replay all "
        "files at once into a new data directory (their order makes no difference), or set allowed_lateness "
        "higher there"
    ),
    "over_cap": "older than the signals that are kept of a very busy person, or about needs too many only",
}
"""What to do about late events, by reason."""

COUNTED: Mapping[str, str] = {
    "needs_full": "counted, but not in all needs: a very busy person had no place for more",
    "link": (
        "counted, but came too late to say who was signed in on their devices: what was done there before "
        "stays with whom it is"
    ),
    "inconsistent": "of devices were not where they had been given to, by a defect: please report it",
}
"""What is recorded of events that count, by reason."""


def replay_command(
    ctx: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="JSON, CSV or lines of text, plain or gzip; of a directory, each file in it.",
            show_default=False,
        ),
    ],
    *,
    source_format: FormatOption = None,
    columns: MapOption = None,
    zone: ZoneOption = None,
    rules: RulesOption = None,
    data_dir: DataDirOption = None,
    partitions: PartitionsOption = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only look: what would be read, repaired and refused. Writes nothing."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="With --check: print JSON, for machines.")] = False,
) -> None:
    """Reads files as one, then stops. Each row counts once, however often it is replayed.

    In what order files and rows are makes no difference: rows that are out of order are sorted by their time,
    in the data directory. Events that cannot be read are reported; the exit code is 2 if none could be. Event
    time alone moves the timers, so the result does not depend on when it runs. A replay that was stopped goes
    on where it was. Files that are replayed later are judged against what the data directory holds.
    """
    from streams.sources.finite_input import FiniteInput

    if json and not check:
        raise ConfigError("--json is for --check: a replay prints a report for people")
    settings = settings_of(ctx, data_dir=data_dir, rules=rules, partitions=partitions)
    loaded = rules_of(settings)
    given = FiniteInput(files, input_format(source_format, columns, zone, settings, is_finite=True))
    name = files[0].name if len(files) == 1 else plural(len(given.files), "file")
    if check:
        from streams.cli.replay_check import check_files

        asyncio.run(check_files(settings, loaded, given, name, json=json))
    else:
        asyncio.run(_replay(settings, loaded, given, name))


class _Ended(NamedTuple):
    """How the items of a data directory ended that were not simply read."""

    received: int
    apart: Counter[str]
    rejected: Counter[str]
    late: Counter[str]
    repaired: Counter[str]

    def since(self, before: "_Ended") -> "_Ended":
        """Those that ended after `before`."""
        return _Ended(
            self.received - before.received,
            self.apart - before.apart,
            self.rejected - before.rejected,
            self.late - before.late,
            self.repaired - before.repaired,
        )


async def _ended(log: "Reader") -> _Ended:
    from streams.queries.dead_letters import count_reasons
    from streams.queries.funnel import count_events, count_repaired
    from streams.topology import LATE, REJECTED

    events = await count_events(log)
    return _Ended(
        events.received,
        Counter(robot=events.robot, refused=events.refused),
        await count_reasons(log, REJECTED),
        await count_reasons(log, LATE),
        await count_repaired(log),
    )


async def _replay(settings: "Settings", rules: "Rules", given: "FiniteInput", name: str) -> None:
    from streams.queries.input_check import guess_format, nothing_read
    from streams.runtime.embedded import Embedded
    from streams.runtime.parameters import record_reader
    from streams.runtime.replaying import look_at

    with StopRequest() as stop:
        with Work(f"look at {name}", is_transient=True) as work:

            def on_rows(rows: int, read_bytes: int, total_bytes: int) -> None:
                work.update(rows, read_bytes, total_bytes)
                stop.check(f"{name} was only looked at: nothing was replayed by this command")

            survey = look_at(given, settings, Clock(), on_rows)
        if survey.items and survey.refused == survey.items:
            guess = guess_format(record_reader(settings), survey.refused_rows)
            if guess is not None:  # it is nothing that a data directory should hold
                raise InputError(nothing_read(name, guess))
        embedded = await Embedded.open(settings, rules)
        try:
            before = await _ended(embedded.log)
            replayed, seconds = await _replayed(embedded, given, name, stop)
            ended = (await _ended(embedded.log)).since(before)
        finally:
            await embedded.close()
    _report(settings.data_dir, replayed, seconds, ended)
    if ended.received and not replayed.skipped and ended.rejected.total() == ended.received:
        raise InputError(f"{nothing_read(name, None)}. It changed no journey.")


async def _replayed(
    embedded: "Embedded", given: "FiniteInput", name: str, stop: StopRequest
) -> tuple["Replayed", float]:
    """What was replayed, and in how many seconds."""
    with Work(f"replay {name}") as work:

        def on_sorted(rows: int, read_bytes: int, total_bytes: int) -> None:
            work.name = f"sort {name}"
            work.update(rows, read_bytes, total_bytes)
            stop.check(f"{name} was only sorted; the same command begins with that again")

        def on_progress(progress: "Progress") -> None:
            work.name, work.done_before = f"replay {name}", progress.held
            done = progress.held + progress.records  # since the beginning, like the bytes
            work.update(done, progress.bytes_read, progress.total_bytes)
            stop.check(
                f"{plural(done, 'event')} of {name} are in {embedded.settings.data_dir}; the same "
                "command goes on from there"
            )

        return await embedded.replay(given, on_progress, on_sorted), work.seconds


def _report(
    data_dir: Path,
    replayed: "Replayed",
    seconds: float,
    ended: "_Ended",
) -> None:
    from streams.core.processing.dead_letters import COUNTED_REASONS
    from streams.core.processing.json_text import rfc3339

    lines = [f"{plural(replayed.records, 'event')} replayed into {data_dir} in {seconds:.1f} s"]
    if replayed.skipped:
        lines[0] += f"; {replayed.skipped:,} had been replayed before"
    if replayed.is_sorted:
        lines.append("they were out of order, and were sorted by their time")
    if replayed.held_to_ms is not None:
        lines.append(
            f"{data_dir} held events up to {time_text(rfc3339(replayed.held_to_ms))}: what is older by more "
            "than the allowed lateness is late"
        )
    option = f"--data-dir {shlex.quote(str(data_dir))}"
    if ended.repaired:
        lines.append(f"repaired: {', '.join(f'{n:,} {kind}' for kind, n in ended.repaired.most_common())}")
    if robots := ended.apart["robot"]:
        lines.append(f"{plural(robots, 'event')} of robots counted apart, and opened nothing")
    if refused := ended.apart["refused"]:
        lines.append(f"{plural(refused, 'event')} of people who refused consent: counted, and no more")
    if ended.rejected:
        lines.append(f"{_counts(ended.rejected)} could not be read: `streams rejected {option}` shows them")
    late = Counter(ended.late)
    counted = {reason: late.pop(reason) for reason in COUNTED_REASONS if reason in late}
    if late:
        lines.append(f"{_counts(late)} came too late to count: `streams late {option}` shows them")
        lines += [f"  {reason}: {ADVICE[reason]}" for reason in sorted(late)]
    for reason, count in counted.items():
        lines.append(f"{plural(count, 'event')} {COUNTED[reason]}. `streams late {option}` shows them")
    print(*lines, sep="\n", file=sys.stderr)


def _counts(reasons: Counter[str]) -> str:
    return f"{reasons.total():,} ({', '.join(f'{n:,} {reason}' for reason, n in reasons.most_common())})"
