"""`streams topics`: shows what an app needs on a cluster and what is there, and creates the rest."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from streams.cli.cluster import wait_for_cluster
from streams.cli.options import AppOption, InputsOption, JsonOption, KafkaOption, settings_of
from streams.cli.screen import console, emit_line, plural
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.log.kafka.client import Cluster
    from streams.log.kafka.topics.model import TopicPlan, WantedTopics

EXIT_TO_CREATE = 1  # the exit code of `plan` if `apply` has something to create
MAX_REPLICAS = 7  # more would slow down every write without making anything safer

AppPartitionsOption = Annotated[
    int | None,
    typer.Option(
        "--partitions",
        metavar="N",
        min=1,
        help="How many partitions the app's topics get. [default: as many as the first input]",
        show_default=False,
    ),
]
ReplicationOption = Annotated[
    int | None,
    typer.Option(
        "--replication",
        metavar="N",
        min=1,
        max=MAX_REPLICAS,
        help="How many copies each topic has. [default: 3, or one per broker]",
        show_default=False,
    ),
]
CreateInputsOption = Annotated[
    bool,
    typer.Option(
        "--create-inputs",
        help="Create missing inputs too, with --partitions. For trying things out.",
    ),
]

Result = TypeVar("Result")

topics_group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


@topics_group.callback()
def topics_command() -> None:
    """Shows and creates the topics of an app on a Kafka cluster."""


@topics_group.command("plan")
def plan_command(
    ctx: typer.Context,
    *,
    kafka: KafkaOption = None,
    app: AppOption = None,
    inputs: InputsOption = None,
    partitions: AppPartitionsOption = None,
    replication: ReplicationOption = None,
    create_inputs: CreateInputsOption = False,
    json: JsonOption = False,
) -> None:
    """Shows what is there, what would be created and what is wrong. Changes nothing.

    Exit code 0: there is nothing to do. 1: `apply` would create something. 2 or 3: something is wrong, and no
    worker would start.
    """
    from streams.log.kafka.topics.cluster import planned

    cluster, wanted, wait_ms = _given(
        ctx,
        {"bootstrap": kafka, "app": app, "inputs": inputs or None},
        partitions=partitions,
        replicas=replication,
        create_inputs=create_inputs,
    )
    found = asyncio.run(_reached(cluster, wait_ms, lambda: planned(cluster, wanted)))
    _show(found, json, set())
    if found.wrong is not None:
        raise found.wrong
    if found.to_create:
        if not json:
            console().print(
                f"\n{plural(len(found.to_create), 'topic')} to create: [bold]streams topics apply[/] with"
                " the same options does it"
            )
        raise typer.Exit(EXIT_TO_CREATE)


@topics_group.command("apply")
def apply_command(
    ctx: typer.Context,
    *,
    kafka: KafkaOption = None,
    app: AppOption = None,
    inputs: InputsOption = None,
    partitions: AppPartitionsOption = None,
    replication: ReplicationOption = None,
    create_inputs: CreateInputsOption = False,
    json: JsonOption = False,
) -> None:
    """Creates the topics that are missing. Changes none that exists; a second run does nothing.

    If anything is wrong, it creates nothing and reports what is wrong (exit code 2 or 3).
    """
    from streams.log.kafka.topics.cluster import applied

    cluster, wanted, wait_ms = _given(
        ctx,
        {"bootstrap": kafka, "app": app, "inputs": inputs or None},
        partitions=partitions,
        replicas=replication,
        create_inputs=create_inputs,
    )
    before, after = asyncio.run(_reached(cluster, wait_ms, lambda: applied(cluster, wanted)))
    created = {line.topic for line in before.to_create}
    _show(after, json, created)
    if not json:
        console().print(f"\n{plural(len(created), 'topic')} created" if created else "\nnothing to do")


def _given(
    ctx: typer.Context,
    kafka: dict[str, object],
    *,
    partitions: int | None,
    replicas: int | None,
    create_inputs: bool,
) -> "tuple[Cluster, WantedTopics, int]":
    """The cluster, what is wanted there, and how long to wait for an answer (milliseconds)."""
    from streams.log.kafka.connection import cluster
    from streams.log.kafka.topics.model import WantedTopics
    from streams.settings.kafka import deployment
    from streams.topology import MAX_PARTITIONS

    if partitions is not None and partitions > MAX_PARTITIONS:
        raise ConfigError(f"--partitions {partitions}: an app has at most {MAX_PARTITIONS} partitions")
    settings = settings_of(ctx, kafka=kafka)
    needed = deployment(settings.kafka)
    wanted = WantedTopics(needed.app, needed.inputs, partitions, replicas, create_inputs)
    return cluster(settings.kafka), wanted, settings.kafka.start_timeout


async def _reached(cluster: "Cluster", wait_ms: int, work: Callable[[], Awaitable[Result]]) -> Result:
    await wait_for_cluster(cluster, wait_ms)
    return await work()


def _show(plan: "TopicPlan", json: bool, created: set[str]) -> None:
    if json:
        import orjson

        emit_line(orjson.dumps(_wire(plan, created)))
        return
    from streams.cli.render.topics import render

    console().print(render(plan, created))


def _wire(plan: "TopicPlan", created: set[str]) -> dict[str, object]:
    """The plan as a JSON-ready dict."""
    return {
        "app": plan.app,
        "partitions": plan.partitions,
        "topics": [
            {
                "topic": line.topic,
                "input": line.input,
                "verdict": "created" if line.topic in created else line.verdict.value,
                "partitions": line.partitions,
                "replicas": line.replicas,
                "config": dict(line.config),
                "details": list(line.details),
            }
            for line in plan.lines
        ],
        "notes": list(plan.notes),
        "errors": list(plan.errors),
    }
