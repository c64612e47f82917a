"""The table of all commands, and the one place where an error becomes a message and an exit code."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from streams.cli.app_record import app_group
from streams.cli.check_config import check_config_command
from streams.cli.compare_rules import compare_rules_command
from streams.cli.cues import cues_command
from streams.cli.dashboard import dashboard_command
from streams.cli.dead_letters import late_command, rejected_command
from streams.cli.demo import demo_command
from streams.cli.explain import explain_command
from streams.cli.export import export_command
from streams.cli.funnel import funnel_command
from streams.cli.generate import generate_command
from streams.cli.identities import identities_command
from streams.cli.journey import journey_command
from streams.cli.journeys import journeys_command
from streams.cli.lag import lag_command
from streams.cli.redrive import redrive_command
from streams.cli.replay import replay_command
from streams.cli.rules import rules_group
from streams.cli.run import run_command
from streams.cli.screen import MAX_SCREEN_COLUMNS
from streams.cli.stopping import Stopped
from streams.cli.topics import topics_group
from streams.cli.topology import topology_command
from streams.cli.transitions import transitions_command
from streams.cli.verify import verify_command
from streams.cli.why import why_command
from streams.errors import StreamsError

EXIT_CODES = {
    0: "done",
    1: (
        "the answer is no: `verify`, `app compare`, `compare-rules` or `rules test` found a difference, "
        "`journey`, `identities` or `why` found nobody of that name, `topics plan` found something to create"
    ),
    2: (
        "the command, a setting, a rules file or an input file is wrong, or the log that a question is about "
        "does not exist or belongs to another release"
    ),
    3: "the data belongs to other settings, to another number of partitions or to an older format",
    4: "another process has taken over the data directory",
    5: "the log cannot be read or written now",
    6: "the cluster refuses: a wrong password, a missing right, a record that is too large",
    130: (
        "stopped by Ctrl-C; what was committed stays, and the same command goes on from there; `dashboard` "
        "ends with 0 instead"
    ),
    143: "stopped by SIGTERM, with the same effect; a worker on Kafka ends with 0 instead, `dashboard` too",
}

FEED, ASK, MAINTAIN = "Try it and feed it", "Ask it", "Look after it"

COMMANDS: Mapping[str, Mapping[str, Callable[..., None]]] = {
    FEED: {
        "demo": demo_command,
        "replay": replay_command,
        "run": run_command,
        "generate": generate_command,
    },
    ASK: {
        "dashboard": dashboard_command,
        "funnel": funnel_command,
        "journey": journey_command,
        "why": why_command,
        "transitions": transitions_command,
        "cues": cues_command,
        "journeys": journeys_command,
        "identities": identities_command,
        "rejected": rejected_command,
        "late": late_command,
        "export": export_command,
        "explain": explain_command,
    },
    MAINTAIN: {
        "verify": verify_command,
        "compare-rules": compare_rules_command,
        "redrive": redrive_command,
        "check-config": check_config_command,
        "topology": topology_command,
        "lag": lag_command,
    },
}
"""The commands by section, in the order of the help."""

MAX_SUMMARY_CHARS = 200  # no command's first sentence is as long, so none is cut


class CommandGroup(TyperGroup):
    """Prints expected errors in one line, without a traceback.

    Any other exception is a defect and keeps its own.
    """

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
        """Prints the commands by section."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            section = str(getattr(command, "rich_help_panel", None))
            sections.setdefault(section, []).append((name, command.get_short_help_str(MAX_SUMMARY_CHARS)))
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Prints the exit codes."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


command_line = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # with rich, the help takes 0.3 s longer
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": MAX_SCREEN_COLUMNS},
)


@command_line.callback()
def streams(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The settings file. [default: streams.toml in this directory, if there is one]",
        ),
    ] = None,
) -> None:
    """Knows for every person which micro-moment they are in: know, go, do, buy, or the moment of truth.

    It reads a clickstream, publishes every step of every journey, and keeps exact funnel counters. Start with
    `streams demo`.
    """
    ctx.obj = config


for _section, _commands in COMMANDS.items():
    for _name, _command in _commands.items():
        command_line.command(_name, rich_help_panel=_section)(_command)
command_line.add_typer(topics_group, name="topics", rich_help_panel=MAINTAIN)
command_line.add_typer(rules_group, name="rules", rich_help_panel=MAINTAIN)
command_line.add_typer(app_group, name="app", rich_help_panel=MAINTAIN)
