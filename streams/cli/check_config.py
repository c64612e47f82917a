"""`streams check-config`: are the settings and the rules right?"""

from typing import Any

import typer

from streams.cli.options import (
    DataDirOption,
    JsonOption,
    PartitionsOption,
    RulesOption,
    rules_of,
    settings_of,
)
from streams.cli.screen import console, emit_line, printable


def check_config_command(
    ctx: typer.Context,
    data_dir: DataDirOption = None,
    rules: RulesOption = None,
    partitions: PartitionsOption = None,
    json: JsonOption = False,
) -> None:
    """Shows every setting with its value, and the rules in force.

    If something is wrong with them, it reports that (exit code 2).
    """
    settings = settings_of(ctx, data_dir=data_dir, rules=rules, partitions=partitions)
    loaded = rules_of(settings)
    if settings.kafka.bootstrap is not None:
        from streams.log.kafka.connection import cluster

        cluster(settings.kafka)  # reads certificates and keys, but connects to nothing
    if settings.registry.url is not None:
        from streams.log.kafka.registry.access import registry_access

        registry_access(settings.registry)
    values, defaults = (_leaves(table.model_dump(mode="json")) for table in (settings, type(settings)()))
    values = {key: printable(value) if isinstance(value, str) else value for key, value in values.items()}
    if json:
        import orjson

        report = {"settings": values, "rules": {"version": loaded.version, "count": len(loaded.rules)}}
        emit_line(orjson.dumps(report))
        return
    from streams.cli.render.check_config import render

    console().print(render(values, defaults))
    console().print(f"\nrules [bold]{loaded.version}[/]: {len(loaded.rules)} rules, all valid")


def _leaves(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested tables by their dotted keys. Aliases stay one value."""
    leaves: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict) and name != "aliases":
            leaves |= _leaves(value, f"{prefix}{name}.")
        else:
            leaves[f"{prefix}{name}"] = value
    return leaves
