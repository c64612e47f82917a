"""What two sets of rules make of the same events: the matrix of moments, both funnels, and samples."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams.cli.render.amounts import amount_cell
from streams.cli.render.tables import plain_table
from streams.cli.screen import MOMENT_COLOURS, count_text, percent, plural, printable, time_text
from streams.queries.cohorts import FUNNEL_MOMENTS, Cohort, reached
from streams.queries.folded_funnel import RulesFunnel
from streams.queries.rules_comparison import RulesComparison
from streams.queries.shown_verdict import ShownVerdict
from streams.queries.verdict_changes import (
    MOMENT_ORDER,
    NO_SIGNAL,
    ChangedKind,
    SampledEvent,
    Sight,
    VerdictCount,
)

UNSURE_TEXT = "[dim]? unsure: it keeps an open journey alive, and never opens or moves one[/]"
MAX_KINDS_SHOWN = 20  # a screen or two; --json has all

_Row = tuple[str, int, int]
"""What is counted, and how many there are by each of the two."""


def render(found: RulesComparison) -> RenderableType:
    """The whole comparison, in the order in which a person asks."""
    parts: list[RenderableType] = [*_heading(found)]
    if not found.events:
        return Group(*parts, *_limits(found))
    parts += ["", _matrix(found.verdicts), UNSURE_TEXT, "", _funnels(found)]
    for kind in found.changes[:MAX_KINDS_SHOWN]:
        parts += ["", *_kind(kind)]
    left = sum(kind.events for kind in found.changes[MAX_KINDS_SHOWN:]) + found.unlisted
    if left:
        parts += ["", f"[dim]{plural(left, 'more event')} in other ways of reading; --json lists more[/]"]
    parts += ["", *_limits(found)]
    return Group(*parts)


def _heading(found: RulesComparison) -> Iterator[str]:
    yield f"A [bold]{found.one}[/], B [bold]{found.other}[/]"
    since = f" from {time_text(found.since)}" if found.since else ""
    until = f" up to {time_text(found.until)}" if found.until else ""
    late = f"; {found.late:,} of them came too late, and are in neither funnel" if found.late else ""
    yield f"{plural(found.events, 'event')}{since}{until}{late}"
    if not found.events:
        yield "[bold yellow]unknown[/]: there is no event to compare them by"
        return
    if found.same:
        yield "[bold green]same[/]: the two differ in no event and in no number"
        return
    changed = sum(kind.events for kind in found.changes) + found.unlisted
    share = f"{plural(changed, 'event')} ({percent(changed, found.events)})"
    yield f"[bold yellow]different[/]: {share} {'is' if changed == 1 else 'are'} read differently"


def _matrix(counts: Sequence[VerdictCount]) -> Table:
    """A row per moment that A sees, a column per moment that B sees."""
    cells = {(_label(n.one, n.one_sure), _label(n.other, n.other_sure)): n.events for n in counts}
    every = [_label(moment, sure) for moment in MOMENT_ORDER for sure in (True, False)]
    columns = [label for label in dict.fromkeys(every) if any(label == other for _, other in cells)]
    table = plain_table("A \\ B")
    for label in columns:
        table.add_column(label, justify="right")
    for row in dict.fromkeys(every):
        if any(row == one for one, _ in cells):
            table.add_row(row, *(_cell(cells.get((row, column), 0), row == column) for column in columns))
    return table


def _label(moment: str, sure: bool) -> str:
    return moment if sure or moment == NO_SIGNAL else f"{moment}?"


def _cell(n: int, is_same: bool) -> str:
    if not n:
        return ""
    return f"[dim]{n:,}[/]" if is_same else f"[bold yellow]{n:,}[/]"


def _funnels(found: RulesComparison) -> Table:
    """Both funnels side by side, with the differences."""
    table = plain_table("funnel")
    for heading in ("A", "B", "B - A"):
        table.add_column(heading, justify="right")
    for name, one, other in _rows(found.one_funnel, found.other_funnel):
        table.add_row(name, count_text(one), count_text(other), _difference(one, other))
    for currency, left, difference in _money(found.one_funnel, found.other_funnel):
        table.add_row(f"revenue in {currency}", *left, f"[bold yellow]{difference}[/]" if difference else "")
    return table


def _difference(one: int, other: int) -> str:
    return f"[bold yellow]{other - one:+,}[/]" if one != other else ""


def _rows(one: RulesFunnel, other: RulesFunnel) -> Iterator[_Row]:
    yield "people", one.profiles, other.profiles
    yield "people who bought", one.profiles_converted, other.profiles_converted
    for outcome in ("opened", *Cohort.__struct_fields__):
        yield f"journeys {outcome}", getattr(one.journeys, outcome), getattr(other.journeys, outcome)
    for n, moment in enumerate(FUNNEL_MOMENTS):
        so_far = FUNNEL_MOMENTS[n:]
        yield f"reached {moment}", reached(one.furthest, so_far), reached(other.furthest, so_far)
    for moment in FUNNEL_MOMENTS:
        yield f"been in {moment}", one.been_in[moment], other.been_in[moment]
    for cue in sorted({*one.cues, *other.cues}):
        yield f"cue {cue}", sum(one.cues.get(cue, {}).values()), sum(other.cues.get(cue, {}).values())
    unmatched = (
        ("refunds without a purchase", one.unmatched_refunds, other.unmatched_refunds),
        ("updates of unknown orders", one.unmatched_updates, other.unmatched_updates),
    )
    yield from (row for row in unmatched if any(row[1:]))


def _money(one: RulesFunnel, other: RulesFunnel) -> Iterator[tuple[str, list[str], str]]:
    """What is left of purchases after refunds, by currency; the difference is empty if there is none."""
    for currency in sorted({*one.revenue, *other.revenue}):
        left = [sum(funnel.revenue.get(currency, {}).values()) for funnel in (one, other)]
        difference = left[1] - left[0]
        amounts = [amount_cell(minor, currency) for minor in left]
        yield currency, amounts, amount_cell(difference, currency) if difference else ""


def _kind(kind: ChangedKind) -> Iterator[RenderableType]:
    yield Text.assemble(
        (f"{plural(kind.events, 'event')}: ", "bold"), _sight(kind.one), " -> ", _sight(kind.other)
    )
    for sample in kind.samples:
        yield Text(f"  {_event(sample)}")
        for side, verdict in (("A", sample.one), ("B", sample.other)):
            yield Text(f"    {side}: {_why(verdict)}", style="dim")


def _sight(sight: Sight) -> Text:
    cue = f" with {sight.cue}" if sight.cue else ""
    rule = f" ({sight.rule})" if sight.rule else ""
    return Text.assemble(
        (_label(sight.moment, sight.sure), MOMENT_COLOURS.get(sight.moment, "dim")), f"{cue}{rule}"
    )


def _event(sample: SampledEvent) -> str:
    """What happened, and where it is stored."""
    place = f"{sample.topic}:{sample.partition} {sample.offset}" + (
        f".{sample.index}" if sample.index else ""
    )
    shown = [f"{sample.type} {sample.name}".strip()]
    shown += [f"page {sample.page}"] if sample.page and sample.page != sample.name else []
    shown += [f'search "{sample.search}"'] if sample.search else []
    return f"{time_text(sample.at)}  {printable(', '.join(shown))}  [{place}]"


def _why(verdict: ShownVerdict) -> str:
    if verdict.rule is None:
        return "no rule reads it"
    cue = f", with {verdict.cue}" if verdict.cue else ""
    matched = printable(verdict.matched)
    return (
        f"{_label(verdict.moment, verdict.sure)} {verdict.confidence:g} by {verdict.evidence} rule "
        f"{verdict.rule}{cue}: {matched}"
    )


def _limits(found: RulesComparison) -> Iterator[str]:
    for records in found.unchecked:
        yield (
            f"[yellow]not compared[/]: records {records.first} to {records.last} of {records.source}: this "
            f"release does not have their reader ({records.reader})"
        )
    if found.cut:
        yield (
            f"[yellow]the oldest records are deleted[/] of {', '.join(found.cut)}: journeys begin with "
            "those that are left, and what was late may count"
        )
    read = "once" if found.slices == 1 else f"{found.slices} times, once per slice of the people"
    yield f"[dim]the input was read {read}[/]"
