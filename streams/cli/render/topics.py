"""The topics of an app on a cluster: what is there, what would be created, what is wrong."""

from rich.console import Group, RenderableType
from rich.markup import escape

from streams.cli.render.tables import plain_table
from streams.cli.screen import printable
from streams.log.kafka.topics.model import TopicLine, TopicPlan
from streams.settings.durations import duration_text

VERDICT_COLOURS = {
    "fine": "green",
    "create": "cyan",
    "created": "bold cyan",
    "unwise": "yellow",
    "wrong": "bold red",
}


def render(plan: TopicPlan, created: set[str]) -> RenderableType:
    """A row per topic, then the warnings. `created` are the topics that were created just now."""
    table = plain_table("topic", "", "partitions", "copies", "kept", wrapped=("topic",))
    for column in table.columns[2:4]:
        column.justify = "right"
    for line in plan.lines:
        verdict = "created" if line.topic in created else line.verdict.value
        table.add_row(
            line.topic + (" [dim]input[/]" if line.input else ""),
            f"[{VERDICT_COLOURS[verdict]}]{verdict}[/]",
            *(str(number) if number else "-" for number in (line.partitions, line.replicas)),
            _kept(line),
        )
    details = [f"{line.topic}: {detail}" for line in plan.to_create for detail in line.details]
    warnings = [f"\n[yellow]{escape(printable(text))}[/]" for text in (*details, *plan.warnings)]
    return Group(table, *warnings)


def _kept(line: TopicLine) -> str:
    policy = line.config.get("cleanup.policy", "")
    if "compact" in policy:
        return "last per key" if policy == "compact" else policy
    if (ms := line.config.get("retention.ms")) is None:
        return ""
    return duration_text(int(ms)) if int(ms) >= 0 else "for ever"
