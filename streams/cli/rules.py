"""`streams rules`: holds rules to examples. For people who write rules, and for their CI."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import JsonOption, RulesOption, rules_of, settings_of
from streams.cli.screen import emit_line, plural, printable
from streams.errors import InputError

if TYPE_CHECKING:
    from streams.queries.rule_examples import RuleExample, WrongVerdict

EXIT_WRONG = 1  # the exit code of `test` if the rules say something else of an example

rules_group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


@rules_group.callback()
def rules_command() -> None:
    """Holds rules to examples of your own."""


@rules_group.command("test")
def rules_test_command(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Examples: a table with tabs, such as a spreadsheet writes.",
            show_default=False,
        ),
    ],
    *,
    rules: RulesOption = None,
    json: JsonOption = False,
) -> None:
    """Holds the rules to examples: searches, events and pages, each with the moment that is right.

    It prints each example of which the rules say something else, with the rule that reads it (exit code 1).
    The first line of the file names the columns: kind (search, event, page or record), text, moment, and if
    you like confidence (sure or unsure), locale and reason.
    """
    from streams.queries.explaining import Explainer
    from streams.queries.rule_examples import parse_examples, wrong_verdicts
    from streams.runtime.parameters import door_of_settings

    settings = settings_of(ctx, rules=rules)
    loaded = rules_of(settings)
    name = str(file)
    examples = parse_examples(name, _text_of(file))
    wrong = list(wrong_verdicts(name, examples, Explainer(loaded, door_of_settings(settings))))
    if json:
        import msgspec

        report = {"rules": loaded.version, "examples": len(examples), "wrong": wrong}
        emit_line(msgspec.json.encode(report))
    else:
        for one in wrong:
            typer.echo(f"{name}:{one.example.line}: {_sentence(one)}")
        right = len(examples) - len(wrong)
        typer.echo(f"{right:,} of {plural(len(examples), 'example')} right by {loaded.version}")
    raise typer.Exit(EXIT_WRONG if wrong else 0)


def _text_of(file: Path) -> str:
    """What is in the file. Raises InputError, which names it."""
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{file}:{line}: is not UTF-8 text: save the table as UTF-8") from error


def _sentence(wrong: "WrongVerdict") -> str:
    """What was read and by what, and what would be right."""
    example, verdict = wrong.example, wrong.verdict
    locale = f" ({example.locale})" if example.locale else ""
    if verdict.rule is None:
        reads = "no rule reads it"
    else:
        reads = (
            f"{verdict.evidence} rule {verdict.rule}, {verdict.confidence:g}: {printable(verdict.matched)}"
        )
    found = f"{verdict.moment}{_confidence(verdict.sure if verdict.moment != 'none' else None)}"
    return (
        f'{example.kind} "{printable(example.text)}"{locale} is {found} ({reads}); right is {_right(example)}'
    )


def _right(example: "RuleExample") -> str:
    return f"{' or '.join(example.moments)}{_confidence(example.sure)}"


def _confidence(sure: bool | None) -> str:
    return "" if sure is None else ", sure" if sure else ", unsure"
