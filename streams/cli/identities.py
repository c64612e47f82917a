"""`streams identities`: whose each device is."""

import asyncio
from typing import Annotated

import typer

from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, JsonOption, KafkaOption, TenantOption, checked_text
from streams.cli.person import end_for_nobody
from streams.cli.screen import console, emit_line
from streams.errors import ConfigError


def identities_command(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="PROFILE",
            callback=checked_text,
            help="The id of a device or of a user, with d: or u: before it or without.",
            show_default=False,
        ),
    ] = None,
    *,
    busiest: Annotated[
        bool,
        typer.Option(
            "--busiest", help="Name the devices with the most users, and the users with the most devices."
        ),
    ] = False,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    tenant: TenantOption = None,
    json: JsonOption = False,
) -> None:
    """Shows whose a device is, or which devices are a user's; without a name, how many there are.

    A device belongs to the user who was signed in there last. With --json and without a name, all records are
    printed, one a line. The exit code is 1 if nobody has this name.
    """
    if busiest and name is not None:
        raise ConfigError("--busiest: is about all devices: give either that, or a name")
    flags = LogFlags(data_dir, kafka, app)
    if name is None and (busiest or not json):
        asyncio.run(_count(ctx, flags, busiest=busiest, json=json))
    else:
        asyncio.run(_list(ctx, name, tenant, flags, json))


async def _count(ctx: typer.Context, flags: LogFlags, *, busiest: bool, json: bool) -> None:
    from streams.queries.identities import count_devices

    async with open_log(ctx, flags, bar=True) as log:
        found = await count_devices(log.reader)
    if json:
        import msgspec

        emit_line(msgspec.json.encode(found))
        return
    from streams.cli.render.identities import render_busiest, render_counts

    console().print(render_counts(found))
    if busiest:
        console().print(render_busiest(found))


async def _list(
    ctx: typer.Context, name: str | None, tenant: str | None, flags: LogFlags, json: bool
) -> None:
    import msgspec

    from streams.queries.identities import read_identities
    from streams.queries.person import Person

    async with open_log(ctx, flags, bar=True) as log:
        found = await read_identities(log.reader, None if name is None else Person(name, tenant))
    if not found and name is not None:
        end_for_nobody(name, tenant)
    if json:
        for identity in found:
            emit_line(msgspec.json.encode(identity))
        return
    from streams.cli.render.identities import render_identity

    for identity in found:
        console().print(render_identity(identity))
