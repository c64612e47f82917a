"""`streams demo`: replays real shoppers and shows the result.

It is the first thing that anybody sees of this program.
"""

import asyncio
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.demo_live import HISTORY_MS, show_live
from streams.cli.incident_option import IncidentOption, incidents_of
from streams.cli.progress import Work
from streams.cli.screen import console
from streams.cli.stopping import StopRequest
from streams.clock import Clock
from streams.errors import ConfigError, InputError

if TYPE_CHECKING:
    from streams.log.port import Reader
    from streams.queries.timeline import Timeline

# A wheel does not carry the data, which has a licence of its own. So the demo needs a checkout.
SHOP_DIR = Path(__file__).parents[2] / "examples" / "simple_shop"
SHOP_EVENTS, SHOP_RULES = SHOP_DIR / "events.csv.gz", SHOP_DIR / "rules.toml"
SHOP_MAP = ("anonymousId=client_id", "event=event", "timestamp=timestamp")

DEMO_DIR = Path("data") / "demo"
DEMO_MARKER = "made-by-demo"  # an earlier demo wrote this file, so the directory may be replaced

EXAMPLE_KINDS = {"opened", "advanced", "returned", "stalled", "resumed", "converted"}
EXAMPLE_STEPS = range(6, 11)  # enough to be worth reading, few enough to show


def demo_command(
    data_dir: Annotated[
        Path,
        typer.Option(
            "--data-dir",
            metavar="DIR",
            help="Where to put the demo's data. It replaces that of an earlier demo.",
        ),
    ] = DEMO_DIR,
    serve_page: Annotated[
        bool,
        typer.Option(
            "--serve",
            help="Then serve the live page, with generated shoppers who come while you look, until Ctrl-C.",
        ),
    ] = False,
    incident: IncidentOption = None,
) -> None:
    """Replays 23,202 real events of an online shop and shows the result, then generated shoppers who sign in.

    Takes some seconds. An --incident is one of the generated shoppers of the live page, who came for 25 days.
    """
    if incident and not serve_page:
        raise ConfigError("--incident: it happens to the shoppers of the live page: give --serve too")
    now_ms = Clock().wall_ms()
    incidents = incidents_of(incident, now_ms, now_ms - HISTORY_MS)
    for file in (SHOP_EVENTS, SHOP_RULES):
        if not file.is_file():
            raise InputError(
                f"the demo's events are missing ({file}). A checkout has them, an installed package does "
                "not. In a checkout: make demo"
            )
    _make_room(data_dir)
    asyncio.run(_demo(data_dir))
    if serve_page:
        asyncio.run(show_live(data_dir / "live", incidents=incidents))


def _make_room(directory: Path) -> None:
    """Makes an empty directory. Raises ConfigError if there is anything that no earlier demo wrote."""
    marker = directory / DEMO_MARKER
    if directory.is_dir() and any(directory.iterdir()) and not marker.is_file():
        raise ConfigError(
            f"--data-dir {directory}: the directory has files that no demo made. Name a new directory"
        )
    if directory.exists():
        try:
            shutil.rmtree(directory)
        except OSError as error:
            raise ConfigError(f"--data-dir {directory}: cannot be replaced: {error.strerror}") from error
    try:
        directory.mkdir(parents=True)
        marker.touch()
    except OSError as error:
        raise ConfigError(f"--data-dir {directory}: cannot be made: {error.strerror}") from error


async def _demo(data_dir: Path) -> None:
    from streams.cli.demo_guests import replay_guests
    from streams.cli.options import input_format, rules_of
    from streams.cli.render.demo import Findings, opening, render
    from streams.log.sqlite.log import SqliteLog
    from streams.queries.dead_letters import count_reasons
    from streams.queries.funnel import read_funnel
    from streams.queries.tallies import read_all_time_tallies
    from streams.runtime.embedded import Embedded, Progress
    from streams.settings.tables import Settings
    from streams.sources.finite_input import FiniteInput
    from streams.topology import LATE, REJECTED

    console().print(opening())
    # These settings ignore the settings file and the environment, so that everybody sees the same.
    settings = Settings(data_dir=data_dir, rules=SHOP_RULES)
    with StopRequest() as stop, Work("replay") as work:

        def on_progress(progress: Progress) -> None:
            work.update(progress.records, progress.bytes_read, progress.total_bytes)
            stop.check("the demo is half done; start it again")

        embedded = await Embedded.open(settings, rules_of(settings))
        try:
            shop = FiniteInput([SHOP_EVENTS], input_format(None, SHOP_MAP, None, settings, is_finite=True))
            replayed = await embedded.replay(shop, on_progress)
        finally:
            await embedded.close()
        guests = await replay_guests(data_dir, stop)
    reader = SqliteLog.read_only(data_dir)
    try:
        findings = Findings(
            data_dir=data_dir,
            records=replayed.records,
            seconds=work.seconds,
            funnel=await read_funnel(reader),
            tallies=await read_all_time_tallies(reader),
            late=await count_reasons(reader, LATE),
            rejected=await count_reasons(reader, REJECTED),
            example=await _example(reader),
            guests=guests,
            command=_command(),
        )
    finally:
        await reader.close()
    console().print(render(findings), crop=False)  # whole commands, to be pasted


async def _example(reader: "Reader") -> "Timeline | None":
    """Somebody whose one journey has everything: they went to and fro, were silent, came back and bought."""
    import msgspec

    from schemas import Transition
    from streams.queries.net_records import list_net_records
    from streams.queries.person import Person
    from streams.queries.timeline import read_timelines
    from streams.topology import TRANSITIONS

    kinds: dict[str, list[str]] = {}
    decode = msgspec.json.Decoder(Transition).decode
    async for listed in list_net_records(reader, TRANSITIONS):
        step = decode(listed.record.value or b"")
        kinds.setdefault(step.profile, []).append(step.kind)
    for profile, steps in sorted(kinds.items()):
        if set(steps) >= EXAMPLE_KINDS and len(steps) in EXAMPLE_STEPS and steps.count("opened") == 1:
            return (await read_timelines(reader, Person(profile)))[0]
    return None


def _command() -> str:
    """This program as a person can type it here, so that printed commands can be copied."""
    program = Path(sys.argv[0])
    if not program.is_file() or shutil.which("streams") == str(program.absolute()):
        return "streams"
    path = os.path.relpath(program)
    return shlex.quote(path if not path.startswith("..") else str(program))
