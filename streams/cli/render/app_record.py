"""What an app runs under, as tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from streams.cli.screen import time_text
from streams.log.kafka.app_record import AppRecord, SeenInput
from streams.settings.fields import shown


def render(record: AppRecord) -> RenderableType:
    """The app, its inputs, its fold settings."""
    about = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (
        ("app", record.app),
        ("partitions", str(record.partitions)),
        ("format of the state", str(record.state_format)),
        ("rules", record.rules),
        ("began", time_text(record.began_at)),
        ("last looked at", time_text(record.updated_at)),
    ):
        about.add_row(f"[dim]{name}[/]", escape(value))
    inputs = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("input", "partitions", "records seen", "id of the topic", ""):
        inputs.add_column(heading, overflow="fold")
    for topic, seen in sorted(record.inputs.items()):
        records = sum(offsets.end - offsets.first for offsets in seen.offsets.values())
        inputs.add_row(topic, str(len(seen.offsets)), f"{records:,}", seen.topic_id or "-", _state(seen))
    fold = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    fold.add_column("fold setting", overflow="fold")
    fold.add_column("value", overflow="fold")
    for key, value in _leaves(record.fold):
        fold.add_row(key, escape(value))
    return Group(about, "", inputs, "", fold)


def _state(seen: SeenInput) -> str:
    if seen.stopped is not None:
        return f"[bold red]stopped[/]: {escape(seen.stopped)}"
    return "read" if seen.is_read else "[dim]read no more: the workers have other inputs now[/]"


def _leaves(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The settings by their dotted keys, as text. Aliases stay one value."""
    for name, value in settings.items():
        if isinstance(value, dict) and name != "aliases":
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", shown(value)
