"""The commands, the options they share, and the one place where an error becomes a message and an exit code."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from streams.cli import ask, check, demo, explain, feed, generate, lag, topics
from streams.cli import dead_letters as ledgers
from streams.cli.screen import MAX_COLUMNS
from streams.cli.stopping import Stopped
from streams.errors import StreamsError

EXIT_CODES = {
    0: "done",
    1: "the answer is no: `verify` found a difference, `journey` nobody of that name, `topics plan` something to make",
    2: "the command, a setting, a rules file or an input file is wrong",
    3: "the data belongs to other settings, partitions or an older format",
    4: "another process has taken the data directory over",
    5: "the log cannot be read or written now",
    6: "the cluster refuses: a wrong password, a right that is missing, a record too large",
    130: "stopped by Ctrl-C; what was committed stays, and the same command goes on from there",
    143: "the same by SIGTERM; a worker on Kafka ends with 0 then",
}
SHORT_CHARS = 200  # of a command's first sentence: no command has as much


class Commands(TyperGroup):
    """Says expected errors in one line, without a traceback. Any other exception is a defect and keeps it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except StreamsError as error:
            typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
            typer.echo(str(error), err=True)
            raise typer.Exit(error.exit_code) from None
        except Stopped as stopped:
            typer.echo(f"stopped: {stopped}", err=True)
            raise typer.Exit(stopped.exit_code) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """By what they are for, in the order of the list below."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            panel = getattr(command, "rich_help_panel", None)
            sections.setdefault(str(panel), []).append((name, command.get_short_help_str(SHORT_CHARS)))
        for panel, rows in sections.items():
            with formatter.section(panel):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # the rich one takes 0.3 s to say the same
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": MAX_COLUMNS},
)


@app.callback()
def streams(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The settings file. Without it: streams.toml, if there is one here."
        ),
    ] = None,
) -> None:
    """Knows for every person which micro-moment they are in: know, go, do, buy, or the moment of truth.

    Reads a clickstream, publishes every step of every journey, and keeps exact funnel counters. Start with `streams demo`.
    """
    ctx.obj = config


TRY, ASK, CARE = "Try it and feed it", "Ask it", "Look after it"

app.command(rich_help_panel=TRY)(demo.demo)
app.command(rich_help_panel=TRY)(feed.replay)
app.command(rich_help_panel=TRY)(feed.run)
app.command(rich_help_panel=TRY)(generate.generate)
app.command(rich_help_panel=ASK)(ask.funnel)
app.command(rich_help_panel=ASK)(ask.journey)
app.command(rich_help_panel=ASK)(ask.transitions)
app.command(rich_help_panel=ASK)(ask.journeys)
app.command(rich_help_panel=ASK)(ledgers.rejected)
app.command(rich_help_panel=ASK)(ledgers.late)
app.command(rich_help_panel=ASK)(explain.explain)
app.command(rich_help_panel=CARE)(check.verify)
app.command(rich_help_panel=CARE)(check.check_config)
app.command(rich_help_panel=CARE)(check.topology)
app.command(rich_help_panel=CARE)(lag.lag)
app.add_typer(topics.app, name="topics", rich_help_panel=CARE)
