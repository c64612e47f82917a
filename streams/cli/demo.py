"""`streams demo`: real shoppers, replayed, and what came out of it. The first thing that anybody sees of this program."""

import asyncio
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.progress import Work
from streams.cli.screen import console
from streams.cli.stopping import Stopping
from streams.errors import ConfigError, InputError

SHOP = (
    Path(__file__).parents[2] / "examples" / "simple_shop"
)  # of a checkout: the data has a licence of its own, so a wheel does not carry it
EVENTS, RULES = SHOP / "events.csv.gz", SHOP / "rules.toml"
COLUMNS = {"anonymousId": "client_id", "event": "event", "timestamp": "timestamp"}
PLACE = Path("data") / "demo"
MARKER = "made-by-demo"  # a file that says that nothing of value is in this directory


def demo(
    data_dir: Annotated[
        Path,
        typer.Option(
            "--data-dir", metavar="DIR", help="Where the demo's data goes; an earlier demo's is replaced."
        ),
    ] = PLACE,
) -> None:
    """Replays 23,202 real events of an online shop (bundled) and shows what they tell. Takes some seconds."""
    for file in (EVENTS, RULES):
        if not file.is_file():
            raise InputError(
                f"the demo's events are not here ({file}): they come with the source code, not with an installed package. In a checkout: make demo"
            )
    _clear(data_dir)
    asyncio.run(_demo(data_dir))


def _clear(directory: Path) -> None:
    """Makes room for a demo. Only what an earlier demo wrote is removed; raises ConfigError if there is anything else."""
    marker = directory / MARKER
    if directory.is_dir() and any(directory.iterdir()) and not marker.is_file():
        raise ConfigError(
            f"--data-dir {directory}: there is something in it, and no demo made it. Name a new directory"
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
    from streams.cli.options import rules
    from streams.cli.render.shop import findings, opening
    from streams.log.sqlite.log import SqliteLog
    from streams.runtime.embedded import Embedded, Progress
    from streams.settings.tables import Settings
    from streams.sources.input_file import InputFile, InputFormat

    screen = console()
    screen.print(opening())
    settings = Settings(
        data_dir=data_dir, rules=RULES
    )  # of nobody's file or environment: everybody sees the same
    with Stopping() as stopping, Work("replay") as work:

        def on_progress(progress: Progress) -> None:
            work.update(*progress)
            stopping.check("the demo is half done; start it again")

        embedded = await Embedded.open(settings, rules(settings))
        try:
            replayed = await embedded.replay(InputFile(EVENTS, InputFormat("csv", COLUMNS)), on_progress)
        finally:
            await embedded.close()
    reader = SqliteLog.read_only(data_dir)
    try:
        screen.print(await findings(reader, replayed.records, work.seconds, data_dir, _command()))
    finally:
        await reader.close()


def _command() -> str:
    """This program as it can be typed here, so that what is printed can be copied."""
    program = Path(sys.argv[0])
    if not program.is_file() or shutil.which("streams") == str(program.absolute()):
        return "streams"
    shown = os.path.relpath(program)
    return shlex.quote(shown if not shown.startswith("..") else str(program))
