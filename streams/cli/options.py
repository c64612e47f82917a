"""The options that several commands share, and what commands make of them: settings, rules, a format."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.core.moments.rules import Rules
    from streams.settings.tables import Settings
    from streams.sources.input_file import InputFormat

CSV_FILE = "csv"  # in place of a format: the file is a table, whatever its rows hold

Text = TypeVar("Text", str, list[str], None)


def checked_text(given: Text) -> Text:
    """Raises ConfigError for an argument whose bytes are no text.

    Names of files are not checked, since they may be any bytes.
    """
    values: list[str] = [given] if isinstance(given, str) else given or []
    for value in values:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{value.encode('utf-8', 'surrogateescape')!r} is not UTF-8 text") from None
    return given


DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="The data directory. [default: the setting, or data]",
        show_default=False,
    ),
]
RulesOption = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        metavar="FILE",
        help="A rules file of your own (TOML). [default: the setting, or the shipped rules]",
        show_default=False,
    ),
]
PartitionsOption = Annotated[
    int | None,
    typer.Option(
        "--partitions",
        metavar="N",
        help="How many partitions a new data directory gets. [default: the setting, or 1]",
        show_default=False,
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        callback=checked_text,
        help="The format of the records, such as segment. auto: each record shows its own. csv: the file is "
        "a table. [default: the setting, or auto]",
        show_default=False,
    ),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=PATH",
        callback=checked_text,
        help="Where a record of any other tool has this field of an event: a column, or a path in JSON. Once "
        "per field.",
    ),
]
ZoneOption = Annotated[
    str | None,
    typer.Option(
        "--zone",
        metavar="ZONE",
        callback=checked_text,
        help="The time zone of times without an offset, such as Europe/Rome. [default: the setting, or UTC]",
        show_default=False,
    ),
]
ProfileArgument = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE",
        callback=checked_text,
        help="The id of a user or of a device, with u: or d: before it or without.",
        show_default=False,
    ),
]
TenantOption = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        metavar="NAME",
        callback=checked_text,
        help="Only of this tenant. Where there are tenants, it saves reading all partitions.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

KafkaOption = Annotated[
    str | None,
    typer.Option(
        "--kafka",
        metavar="HOST:PORT",
        callback=checked_text,
        help="The address of a broker, or of several. [default: the setting]",
        show_default=False,
    ),
]
AppOption = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="NAME",
        callback=checked_text,
        help="The name of the deployment. [default: the setting]",
        show_default=False,
    ),
]
InputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="TOPIC",
        callback=checked_text,
        help="A topic to read. Once per topic. [default: the setting]",
        show_default=False,
    ),
]


def settings_of(ctx: typer.Context, **flags: Any) -> "Settings":
    """The settings of this start. Raises ConfigError."""
    from streams.settings.loading import load_settings

    return load_settings(ctx.obj, **flags)


def rules_of(settings: "Settings") -> "Rules":
    """The rules of these settings. Raises ConfigError, which names the file."""
    from streams.runtime.rules_file import read_rules

    return read_rules(settings.rules, settings.order_id)


def input_format(
    named: str | None,
    columns: Iterable[str] | None,
    zone: str | None,
    settings: "Settings",
    *,
    is_finite: bool,
) -> "InputFormat":
    """How files are read: by `--format`, `--map FIELD=PATH` and `--zone`, else by the settings.

    `is_finite`: the time at which their records are appended says nothing about their events. Raises
    ConfigError.
    """
    from streams.core.ingest.formats.mapping import MAPPING
    from streams.core.ingest.input_doors import format_fault, input_door, zone_fault
    from streams.runtime.parameters import file_door
    from streams.sources.input_file import InputFormat

    below = file_door(settings)
    is_table = named == CSV_FILE
    format = None if is_table else named
    mapping = _mapping(columns or ()) or (below.mapping if format in (None, MAPPING) else {})
    if format is not None and (fault := format_fault(format, bool(mapping))):
        raise ConfigError(f"--format {format}: {fault}")
    if zone is not None and (fault := zone_fault(zone)):
        raise ConfigError(f"--zone {zone}: {fault}")
    is_given = bool(named or columns or zone)
    door = input_door(format or below.format, mapping, zone or below.zone)
    return InputFormat(door, is_table, is_finite or is_given)


def _mapping(columns: Iterable[str]) -> Mapping[str, str]:
    """The path of each field that is mapped. Raises ConfigError."""
    from streams.core.ingest.formats.mapping import mapping_fault

    mapping: dict[str, str] = {}
    for text in columns:
        field, equals, path = text.partition("=")
        if not (field and equals and path):
            raise ConfigError(f"--map {text}: write FIELD=PATH, as in --map timestamp=time")
        if field in mapping:
            raise ConfigError(f"--map {text}: {field} is already mapped to {mapping[field]}")
        mapping[field] = path
    if mapping and (fault := mapping_fault(mapping)):
        given = f" {fault.field}={mapping[fault.field]}" if fault.field else ""
        raise ConfigError(f"--map{given}: {fault.text}")
    return mapping
