"""A person's events: when, what each was read as, and what became of it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from rich.console import Group, RenderableType
from rich.markup import escape

from schemas import Cue, Transition
from streams.cli.render.amounts import amount_cell
from streams.cli.render.tables import plain_table
from streams.cli.screen import MOMENT_COLOURS, OUTCOME_COLOURS, moment_text, plural, span_text, time_text
from streams.queries.event_story import EventStory

_COLOURS = {"applied": "green", "late": "yellow", "rejected": "red", "waiting": "yellow", "gone": "yellow"}
_decode = msgspec.json.Decoder(Transition).decode
_decode_cue = msgspec.json.Decoder(Cue).decode


def render(stories: Sequence[EventStory]) -> RenderableType:
    """A row per event or silence, oldest first, with the steps that it caused beneath it."""
    has_profiles = len({(story.tenant, story.profile, story.belongs_to) for story in stories}) > 1
    headings = ["when (UTC)", *(["who"] * has_profiles), "event", "read as", "what became of it", "where"]
    table = plain_table(*headings, wrapped=("who", "event", "read as", "what became of it", "where"))
    for story in stories:
        owner = f" → {escape(story.belongs_to)}" if story.belongs_to is not None else ""
        who = [escape(story.profile) + owner] * has_profiles
        table.add_row(
            time_text(story.at) if story.at else "",
            *who,
            escape(story.name or story.event or ""),
            _read_as(story),
            _ending(story),
            f"[dim]{escape(_where(story))}[/]",
        )
        for raw in story.transitions:
            step = _decode(raw)
            op = "" if step.op == "assert" else "[red]not[/] "
            need = f" ({escape(step.need)})" if step.need else ""
            moved = f"{moment_text(step.from_)} → {moment_text(step.to)}"
            moved += f" {amount_cell(step.value_minor, step.currency)}"
            cells = [
                f"[dim]{time_text(step.at)}[/]",
                *([""] * has_profiles),
                "",
                "",
                f"  {op}{step.kind}{need}",
            ]
            table.add_row(*cells, moved)
        for raw in story.cues:
            cue = _decode_cue(raw)
            op = "" if cue.op == "assert" else "[red]not[/] "
            need = f" ({escape(cue.need)})" if cue.need else ""
            cells = [f"[dim]{time_text(cue.at)}[/]", *([""] * has_profiles), "", ""]
            table.add_row(*cells, f"  {op}[yellow]{cue.cue}[/]{need}", f"in {moment_text(cue.moment)}")
    events = sum(story.ending != "silence" for story in stories)
    steps = sum(len(story.transitions) for story in stories)
    return Group(table, f"[dim]{plural(events, 'event')}, {plural(steps, 'step')}[/]")


def _read_as(story: EventStory) -> str:
    read = story.read_as
    if read is None:
        return ""
    sure = "" if read.sure else ", unsure"
    needs = [escape(need) for need in read.needs if need]
    about = f" about {', '.join(needs)}" if needs else ""
    intent = (
        moment_text(read.intent)
        if read.intent in MOMENT_COLOURS
        else f"[{OUTCOME_COLOURS['refunded']}]{read.intent}[/]"
    )
    cue = f" [yellow]{read.cue}[/]" if read.cue else ""
    return f"{intent}{sure}{about}{cue} [dim]{escape(read.rule)} {read.confidence:g}[/]"


def _ending(story: EventStory) -> str:
    colour = _COLOURS.get(story.ending, "dim")
    text = story.ending.replace("_", " ")
    why = ": ".join(escape(part) for part in (story.reason, story.detail) if part)
    return f"[{colour}]{text}[/]" + (f" ({why})" if why else "") + _decided_by(story)


def _decided_by(story: EventStory) -> str:
    """Why an event of a device is whose it is."""
    link = story.decided_by
    if link is None or story.at is None:
        return ""
    if link.shared_by is not None:
        return f"; the device's own: {link.shared_by} users share it"
    apart = datetime.fromisoformat(story.at) - datetime.fromisoformat(link.at)
    when = f"{span_text(abs(apart.total_seconds()))} {'before' if link.is_before else 'after'}"
    return f"; {escape(link.user)} signed in {when}, by event {escape(link.event)}"


def _where(story: EventStory) -> str:
    """`topic:partition:offset:index`, and where the event was forwarded to."""
    if story.ending == "silence":
        return ""
    if story.topic is None:
        return "not stored any more"
    place = f"{story.topic}:{story.partition}:{story.offset}:{story.index}"
    return place if story.forwarded_to is None else f"{place} → {story.forwarded_to}"
