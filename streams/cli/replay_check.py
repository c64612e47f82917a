"""`streams replay --check`: what a replay would read, repair and refuse, without writing anything."""

from typing import TYPE_CHECKING

from streams.cli.progress import Work
from streams.cli.screen import console, emit_line
from streams.cli.stopping import StopRequest
from streams.clock import Clock
from streams.errors import InputError

if TYPE_CHECKING:
    from streams.core.moments.rules import Rules
    from streams.settings.tables import Settings
    from streams.sources.finite_input import FiniteInput


async def check_files(
    settings: "Settings", rules: "Rules", given: "FiniteInput", name: str, *, json: bool
) -> None:
    """Prints the report on these files. Raises InputError if they hold events and none can be read."""
    import msgspec

    from streams.cli.render.input_check import render
    from streams.queries.input_check import InputCheck, nothing_read
    from streams.runtime.parameters import record_reader

    limit_ms = Clock().wall_ms() + settings.skew
    check = InputCheck(record_reader(settings), rules, settings.tenant, settings.order_id, limit_ms)
    with StopRequest() as stop, Work(f"check {name}", is_transient=True) as work:

        def on_rows(rows: int, read_bytes: int, total_bytes: int) -> None:
            work.update(rows, read_bytes, total_bytes)
            stop.check(f"{name} was not looked at to its end")

        survey = given.look(check.read, settings.tenant, limit_ms, on_rows)
    report = check.report(survey, settings.allowed_lateness)
    if json:
        emit_line(msgspec.json.encode(report))
    else:
        console().print(render(report))
    if report.items and report.refused_items == report.items:
        raise InputError(nothing_read(name, report.guess))
