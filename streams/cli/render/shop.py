"""What the demo shows once the events are in: the funnel, the busiest steps, how long people stay, where they fall silent, what to try next."""

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from schemas import Tally, Transition
from streams.cli.render import funnel as pictures
from streams.cli.render.story import picture
from streams.cli.screen import COLOURS, bar, moment, narrowed, percent, span
from streams.log.port import Reader
from streams.queries.dead_letters import reasons
from streams.queries.funnel import MOMENTS, Funnel, funnel
from streams.queries.story import Story, stories
from streams.queries.tallies import dwells, hours, moves, over_all_time, quantile
from streams.queries.transitions import standing
from streams.topology import LATE, REJECTED

BUSIEST = 6
BAR = 28
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SHADES = " ░▒▓█"
GOOD_STORY = range(6, 11)  # steps that make a story worth reading and short enough to show


def opening() -> RenderableType:
    """What is about to happen."""
    return Group(
        "",
        f"[bold]A real online shop[/], {moment('know')} → {moment('go')} → {moment('do')} → {moment('buy')} → {moment('truth')}: "
        "from the first look to the purchase.",
        "[dim]Computed now from the shop's own events, by the program that you would put beside your Kafka.[/]",
        "",
    )


async def findings(
    reader: Reader, records: int, seconds: float, data_dir: Path, command: str
) -> RenderableType:
    """All of it, in the order of reading."""
    cells = await over_all_time(reader)
    report = await funnel(reader)
    example = await _example(reader)
    parts = [
        f"[dim]{records:,} events, each committed to disk exactly once, in {seconds:.1f} s ({records / seconds:,.0f}/s). They are in {data_dir}.[/]",
        _head("How far they came"), pictures.people(report), "", pictures.stages(report.furthest),
        _head("The busiest steps"), _busiest(cells),
        _head("How long they stay, where they fall silent"), _stays(cells),
        _head("When they buy, by the hour of the week"), _week(cells),
        _head("What became of each event"), pictures.events(report.events), await _ledgers(reader, report),
    ]  # fmt: skip
    if example is not None:
        parts += [_head("One of them"), picture(example)]
    parts += [_head("Try next"), _next(command, data_dir, example)]
    return Group(*parts)


def _head(text: str) -> RenderableType:
    return Group("", Rule(f"[bold]{text}[/]", align="left", style="dim"))


def _busiest(cells: Sequence[Tally]) -> Table:
    table = _grid()
    moved = [
        (n, move)
        for move, n in moves(cells).items()
        if move.kind in ("opened", "advanced", "returned", "converted")
    ]
    moved.sort(key=lambda row: (-row[0], row[1].kind))
    for n, move in moved[:BUSIEST]:
        where = f"{moment(move.from_)} → {moment(move.to)}" if move.from_ else f"{moment(move.to)}"
        table.add_row(
            move.kind, where, f"{n:,}", Text(bar(n, moved[0][0], BAR), style=COLOURS[move.to or "know"])
        )
    return table


def _stays(cells: Sequence[Tally]) -> Table:
    """Per moment: median stay, and how many journeys fell silent in it."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in (
        "in",
        "half stay less than",
        "9 of 10 less than",
        "stays ended",
        "fell silent",
        "came back",
        "",
    ):
        table.add_column(heading, justify="left" if heading in ("in", "") else "right")
    stays, moved = dwells(cells), moves(cells)
    stalled, resumed = (
        Counter({m.from_: n for m, n in moved.items() if m.kind == kind}) for kind in ("stalled", "resumed")
    )
    most = max(stalled.values(), default=0)
    for name in MOMENTS[:-1]:
        if name in stays or stalled[name]:
            half, most_of = (
                span(quantile(stays[name], part)) if name in stays else "" for part in (0.5, 0.9)
            )
            ended = stays[name].total() if name in stays else 0
            table.add_row(
                moment(name), half, most_of, f"{ended:,}", f"{stalled[name]:,}", percent(resumed[name], stalled[name]),
                Text(bar(stalled[name], most, narrowed(BAR // 2)), style="yellow"),
            )  # fmt: skip
    return table


def _week(cells: Sequence[Tally]) -> RenderableType:
    """A week in shades: a row per day, a character per hour. In this export it is nearly flat, and people are told why."""
    bought = hours(cells, frozenset({"truth"}))
    most = max(bought) or 1
    table = _grid()
    table.add_row("", "[dim]0     6     12    18   [/]", "")
    for day, name in enumerate(DAYS):
        week = bought[day * 24 : day * 24 + 24]
        shades = "".join(SHADES[-(-n * (len(SHADES) - 1) // most)] for n in week)
        table.add_row(f"[dim]{name}[/]", f"[green]{shades}[/]", f"{sum(week):,}")
    return Group(table, "[dim]Nearly flat: the hours were shifted before these events were published.[/]")


async def _ledgers(reader: Reader, report: Funnel) -> str:
    """What was late or rejected, and why."""
    said = []
    for topic, n in ((LATE, report.events.late), (REJECTED, report.events.rejected)):
        why = ", ".join(
            f"{count:,} {reason}" for reason, count in (await reasons(reader, topic)).most_common()
        )
        said.append(f"{n:,} {topic.name}" + (f" ({why})" if why else ""))
    kept = (
        "kept with the reason, as they came"
        if report.events.late + report.events.rejected
        else "nothing was unreadable or too far behind"
    )
    return f"[dim]{' and '.join(said)}: {kept}.[/]"


async def _example(reader: Reader) -> Story | None:
    """Somebody whose one journey has everything in it: they went to and fro, fell silent, came back and bought."""
    kinds: dict[str, list[str]] = {}
    decode = msgspec.json.Decoder(Transition).decode
    async for value in standing(reader):
        step = decode(value)
        kinds.setdefault(step.profile, []).append(step.kind)
    wanted = {"opened", "advanced", "returned", "stalled", "resumed", "converted"}
    good = sorted(
        who
        for who, said in kinds.items()
        if wanted <= set(said) and len(said) in GOOD_STORY and said.count("opened") == 1
    )
    told = await stories(reader, good[0]) if good else []
    return told[0] if told else None


def _next(command: str, data_dir: Path, example: Story | None) -> RenderableType:
    """Commands that work as they are printed."""
    where = f"--data-dir {shlex.quote(str(data_dir))}"
    who = shlex.quote(example.profile) if example is not None else "PROFILE"
    rows = (
        (f"{command} journey {who} {where}", "one person's story"),
        (f"{command} transitions {where} --kind stalled", "who fell silent"),
        (f"{command} funnel {where} --json", "the counters, for machines"),
        (f"{command} verify {where}", "recompute all of it and compare"),
        (f"{command} explain 'Concessionaria Honda vicino'", "how a search is read"),
        (f"{command} run --data-dir data/mine < events.jsonl", "your own events (Segment JSON)"),
    )
    return Group(
        *(
            line
            for typed, meaning in rows
            for line in (f"[dim]# {meaning}[/]", Text(typed, style="bold", no_wrap=True))
        )
    )


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    return grid
