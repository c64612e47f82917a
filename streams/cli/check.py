"""Commands that look after things: are the numbers right, are the settings, what is there to read."""

import asyncio
from pathlib import Path
from typing import Any

import typer

from streams.cli import options
from streams.cli.progress import Work
from streams.cli.screen import console, emit, printable
from streams.cli.stopping import Stopping


def verify(ctx: typer.Context, data_dir: options.DataDir = None) -> None:
    """Recomputes everything from the stored input in one batch, and compares it with what was published.

    Says that all is equal, or the first difference (exit code 1). Late and rejected records are taken as they were judged, and each record is
    read with the rules that were in force.
    """
    asyncio.run(_verify(ctx, data_dir))


async def _verify(ctx: typer.Context, data_dir: Path | None) -> None:
    from streams.queries.verify import verify as recompute

    async with options.reading(ctx, data_dir) as reader:
        with Stopping() as stopping, Work("verify", "records") as work:

            def on_progress(done: int, total: int) -> None:
                work.update(done, done, total)
                stopping.check(f"{done:,} of {total:,} records were recomputed; nothing is known yet")

            verified = await recompute(reader, on_progress)
            work.update(verified.records, 1, 1)
    if verified.difference is not None:
        typer.secho("different: ", fg="red", bold=True, nl=False)
        typer.echo(verified.difference)
        raise typer.Exit(1)
    typer.secho("equal: ", fg="green", bold=True, nl=False)
    typer.echo(
        f"{verified.records} records, {verified.profiles} profiles, {verified.transitions} transitions"
    )


def check_config(
    ctx: typer.Context,
    data_dir: options.DataDir = None,
    rules: options.RulesFile = None,
    partitions: options.Partitions = None,
    json: options.Json = False,
) -> None:
    """Every setting with its value, and the rules in force. Says what is wrong with them (exit code 2)."""
    from streams.settings.fields import shown

    settings = options.settings(ctx, data_dir=data_dir, rules=rules, partitions=partitions)
    loaded = options.rules(settings)
    if settings.kafka.bootstrap is not None:
        from streams.log.kafka.connection import cluster

        cluster(settings.kafka)  # certificates and keys are read, nothing is connected
    values, defaults = (_leaves(given.model_dump(mode="json")) for given in (settings, type(settings)()))
    values = {key: printable(value) if isinstance(value, str) else value for key, value in values.items()}
    if json:
        import orjson

        emit(
            orjson.dumps(
                {"settings": values, "rules": {"version": loaded.version, "count": len(loaded.rules)}}
            )
        )
        return
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("setting", "value", ""):
        table.add_column(heading, overflow="fold")
    for key, value in values.items():
        default = key in defaults and defaults[key] == value
        table.add_row(
            key,
            shown(value) if default else f"[bold yellow]{_plain(shown(value))}[/]",
            "[dim]default[/]" if default else "set",
        )
    console().print(table)
    console().print(f"\nrules [bold]{loaded.version}[/]: {len(loaded.rules)} rules, all well")


def _leaves(value: dict[str, Any], under: str = "") -> dict[str, Any]:
    """Nested settings by their dotted keys; aliases stay one value."""
    found: dict[str, Any] = {}
    for name, member in value.items():
        key = f"{under}{name}"
        found |= (
            _leaves(member, f"{key}.") if isinstance(member, dict) and name != "aliases" else {key: member}
        )
    return found


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def topology(json: options.Json = False) -> None:
    """Every topic: what is in it, by which key, how long it is kept, who writes it."""
    from streams.topology import OUTPUTS, TOPICS

    if json:
        import orjson

        fields = ("name", "key", "value", "cleanup", "writer", "about")
        emit(
            orjson.dumps(
                [
                    {name: getattr(topic, name) for name in fields} | {"output": topic in OUTPUTS}
                    for topic in TOPICS
                ]
            )
        )
        return
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading, width in (
        ("topic", None),
        ("what it is, what a record holds", 41),
        ("key", 15),
        ("kept", None),
        ("written by", 11),
    ):
        table.add_column(heading, overflow="fold", width=width)
    for topic in TOPICS:
        name = f"[bold cyan]{topic.name}[/]" if topic in OUTPUTS else topic.name
        kept = {"delete": "all, by age", "compact": "last per key"}[topic.cleanup]
        table.add_row(name, f"{topic.about}\n[dim]{topic.value}[/]", topic.key, kept, topic.writer)
    console().print(table)
    console().print("\n[dim]Yours to read are the coloured ones; schemas/json says what is in them.[/]")
