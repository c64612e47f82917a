"""`streams topics`: what an app needs on a cluster, what is there, and making the rest."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from streams.cli import options
from streams.cli.screen import console, emit, printable, some

if TYPE_CHECKING:
    from streams.log.kafka.client import Cluster
    from streams.log.kafka.topics.plan import Line, Plan, Wanted

TO_DO = 1  # exit code of `plan` when `apply` has something to make
MAX_REPLICAS = 7  # more cost every write without making anything safer
COLOURS = {"fine": "green", "create": "cyan", "made": "bold cyan", "unwise": "yellow", "wrong": "bold red"}

Partitions = Annotated[
    int | None,
    typer.Option(
        "--partitions",
        metavar="N",
        min=1,
        max=1_024,
        help="Of the app's topics. [default: those of the first input]",
        show_default=False,
    ),
]
Replication = Annotated[
    int | None,
    typer.Option(
        "--replication",
        metavar="N",
        min=1,
        max=MAX_REPLICAS,
        help="Copies of each. [default: 3, or one per broker]",
        show_default=False,
    ),
]
CreateInputs = Annotated[
    bool,
    typer.Option(
        "--create-inputs",
        help="Make inputs too that are not there, with --partitions. For trying things out.",
    ),
]

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.callback()
def topics() -> None:
    """The topics of an app on a Kafka cluster: what is to be made, what is wrong, and making it."""


@app.command()
def plan(
    ctx: typer.Context,
    kafka: options.Bootstrap = None,
    name: options.App = None,
    input: options.Inputs = None,
    partitions: Partitions = None,
    replication: Replication = None,
    create_inputs: CreateInputs = False,
    json: options.Json = False,
) -> None:
    """Shows what is there, what would be made and what is wrong. Changes nothing.

    Exit code 0: there is nothing to do; 1: `apply` would make something; 2 or 3: something is wrong, and no worker would start.
    """
    from streams.log.kafka.topics.cluster import planned

    cluster, wanted, start_ms = _given(ctx, kafka, name, input, partitions, replication, create_inputs)
    found = asyncio.run(_reached(cluster, start_ms, lambda: planned(cluster, wanted)))
    _show(found, json)
    if found.wrong is not None:
        raise found.wrong
    if found.to_create:
        if not json:
            console().print(
                f"\n{some(len(found.to_create), 'topic')} to make: [bold]streams topics apply[/] with the same options does it"
            )
        raise typer.Exit(TO_DO)


@app.command()
def apply(
    ctx: typer.Context,
    kafka: options.Bootstrap = None,
    name: options.App = None,
    input: options.Inputs = None,
    partitions: Partitions = None,
    replication: Replication = None,
    create_inputs: CreateInputs = False,
    json: options.Json = False,
) -> None:
    """Makes the topics that are missing. Changes none that is there; run again, it does nothing.

    When anything is wrong it makes nothing and says what (exit code 2 or 3).
    """
    from streams.log.kafka.topics.cluster import applied

    cluster, wanted, start_ms = _given(ctx, kafka, name, input, partitions, replication, create_inputs)
    before, after = asyncio.run(_reached(cluster, start_ms, lambda: applied(cluster, wanted)))
    made = {line.topic for line in before.to_create}
    _show(after, json, made)
    if not json:
        console().print(f"\n{some(len(made), 'topic')} made" if made else "\nnothing to do")


def _given(
    ctx: typer.Context,
    kafka: str | None,
    name: str | None,
    input: list[str] | None,
    partitions: int | None,
    replicas: int | None,
    inputs: bool,
) -> "tuple[Cluster, Wanted, int]":
    from streams.log.kafka.connection import cluster
    from streams.log.kafka.topics.plan import Wanted
    from streams.settings.kafka import deployment

    settings = options.settings(ctx, kafka={"bootstrap": kafka, "app": name, "inputs": input or None})
    needed = deployment(settings.kafka)
    return (
        cluster(settings.kafka),
        Wanted(needed.app, needed.inputs, partitions, replicas, inputs),
        settings.kafka.start_timeout,
    )


async def _reached(cluster: "Cluster", timeout_ms: int, work: Callable[[], Awaitable[T]]) -> T:
    from streams.log.kafka.start import reach

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says of brokers, our own messages say
    await reach(cluster, timeout_ms, lambda line: typer.echo(line, err=True))
    return await work()


def _show(plan: "Plan", json: bool, made: set[str] | None = None) -> None:
    if json:
        import orjson

        emit(orjson.dumps(_as_json(plan, made or set())))
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("topic", overflow="fold")
    table.add_column("")
    table.add_column("partitions", justify="right")
    table.add_column("copies", justify="right")
    table.add_column("kept")
    for line in plan.lines:
        verdict = "made" if line.topic in (made or ()) else line.verdict.value
        numbers = [str(number) if number else "-" for number in (line.partitions, line.replicas)]
        table.add_row(
            line.topic + (" [dim]input[/]" if line.input else ""),
            f"[{COLOURS[verdict]}]{verdict}[/]",
            *numbers,
            _kept(line),
        )
    console().print(table)
    hidden = [f"{line.topic}: {said}" for line in plan.to_create for said in line.says]
    for warning in [*hidden, *plan.warnings]:
        console().print(f"\n[yellow]{escape(printable(warning))}[/]")


def _kept(line: "Line") -> str:
    from streams.settings.durations import duration_text

    if "compact" in line.config.get("cleanup.policy", ""):
        return "last per key" if line.config["cleanup.policy"] == "compact" else line.config["cleanup.policy"]
    if (ms := line.config.get("retention.ms")) is None:
        return ""
    return duration_text(int(ms)) if int(ms) >= 0 else "for ever"


def _as_json(plan: "Plan", made: set[str]) -> dict[str, Any]:
    return {
        "app": plan.app,
        "partitions": plan.partitions,
        "topics": [
            {
                "topic": line.topic,
                "input": line.input,
                "verdict": "made" if line.topic in made else line.verdict.value,
                "partitions": line.partitions,
                "replicas": line.replicas,
                "config": dict(line.config),
                "says": list(line.says),
            }
            for line in plan.lines
        ],
        "notes": list(plan.notes),
        "errors": list(plan.errors),
    }
