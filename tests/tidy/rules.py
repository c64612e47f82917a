"""The rules. Each takes source files and yields what breaks it."""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatch

from tests.tidy import words
from tests.tidy.source import Finding, Source, line_of

MAX_COLUMNS = 110  # two files side by side on a laptop's screen; ruff formats to it
MAX_LINES = 350  # one idea per file: 150 is usual
MAX_POSITIONAL = 6  # more cannot be told apart at the call

# A public name that several files of a folder define, since it is the one way into each of them: (name,
# folder) -> reason
FAMILIES = {
    ("read", "streams/core/ingest/formats/*.py"): "each format of a source has one reader",
    ("render", "streams/cli/render/*.py"): "each picture on the terminal has one function that draws it",
}

BARE_IGNORE = re.compile(r"#\s*(?:type:\s*ignore(?:\[[^\]]*\])?|noqa(?::\s*[A-Z0-9, ]+)?)\s*$")
AWKWARD_OPENINGS = re.compile(r"\s*(Of|The same|Likewise)\b")


def defined_twice(sources: Sequence[Source]) -> Iterator[Finding]:
    """One word, one thing: a public name at the top of a file stands in no other file."""
    defined: dict[str, list[tuple[Source, int]]] = defaultdict(list)
    for source in sources:
        for name, line in _top_level(source.tree.body):
            if not name.startswith("_") and not any(source is other for other, _ in defined[name]):
                defined[name].append((source, line))
    for name, places in defined.items():
        families = [folder for family, folder in FAMILIES if family == name]
        outside = [p for p in places if not any(fnmatch(p[0].path, folder) for folder in families)]
        if len(outside) + (len(outside) < len(places)) < 2:
            continue
        for source, line in places:
            others = ", ".join(other.path for other, _ in places if other is not source)
            yield Finding(source.path, line, f"{name} is also defined in {others}")


def _top_level(body: Sequence[ast.stmt]) -> Iterator[tuple[str, int]]:
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name, statement.lineno
            case ast.Assign() | ast.AnnAssign():
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                for node in (node for target in targets for node in ast.walk(target)):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        yield node.id, node.lineno
            case ast.If() | ast.Try():
                yield from _top_level([*statement.body, *statement.orelse])


def many_positional(sources: Sequence[Source]) -> Iterator[Finding]:
    """Neither a call nor a function has more than six positional arguments; keyword-only ones do not
    count.
    """
    for source in sources:
        methods = {
            id(function): not any(_named(d) == "staticmethod" for d in function.decorator_list)
            for node in source.nodes
            if isinstance(node, ast.ClassDef)
            for function in node.body
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        for node in source.nodes:
            match node:
                case ast.Call(func=called, args=arguments):
                    name, count = _named(called), len(arguments)
                case ast.FunctionDef(args=a) | ast.AsyncFunctionDef(args=a) | ast.Lambda(args=a):
                    name = getattr(node, "name", "lambda")
                    count = len(a.posonlyargs) + len(a.args) - methods.get(id(node), False)
                case _:
                    continue
            if count > MAX_POSITIONAL:
                detail = f"{name} has {count} positional arguments, {MAX_POSITIONAL} at most"
                yield Finding(source.path, node.lineno, detail)


def _named(called: ast.expr) -> str:
    match called:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return "call"


def awkward_opening(sources: Sequence[Source]) -> Iterator[Finding]:
    """A docstring is a sentence, subject first: it does not begin with Of, The same or Likewise."""
    for source in sources:
        for prose in source.docstrings():
            if found := AWKWARD_OPENINGS.match(prose.text):
                detail = f"a docstring begins with {found[1]!r}"
                yield Finding(source.path, prose.line, detail)


def old_word(sources: Sequence[Source]) -> Iterator[Finding]:
    """The field's terms stand where the project once had words of its own."""
    for source in sources:
        found = [
            (line_of(prose, match), match[0], words.instead(match))
            for prose in (*source.comments(), *source.strings())
            for match in words.banned(prose.text)
        ]
        found += [(line, name, term) for line, name in source.names() if (term := words.banned_in_name(name))]
        for line, word, term in sorted(found):
            yield Finding(source.path, line, f"{' '.join(word.split())!r}: write {term}")


def wide_line(sources: Sequence[Source]) -> Iterator[Finding]:
    """A line has at most 110 columns, a comment behind code included."""
    for source in sources:
        for number, line in enumerate(source.text.splitlines(), 1):
            if len(line) > MAX_COLUMNS:
                yield Finding(source.path, number, f"{len(line)} columns, {MAX_COLUMNS} at most")


def long_file(sources: Sequence[Source]) -> Iterator[Finding]:
    """A file has at most 350 lines."""
    for source in sources:
        lines = source.text.count("\n")
        if lines > MAX_LINES:
            yield Finding(source.path, lines, f"{lines} lines, {MAX_LINES} at most")


def bare_ignore(sources: Sequence[Source]) -> Iterator[Finding]:
    """What is kept from a checker has its reason beside it, or in a comment on the line above."""
    for source in sources:
        above = ""
        for number, line in enumerate(source.text.splitlines(), 1):
            if BARE_IGNORE.search(line) and not above.lstrip().startswith("#"):
                yield Finding(source.path, number, "an ignore without its reason")
            above = line


def unplaced(sources: Sequence[Source], layers: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """Each module of a package stands in one of its layers, and each layer is a module.

    `layers` has the layers of a package, as pyproject.toml gives them to import-linter; `a : b` are two that
    stand side by side.
    """
    for package, rows in layers.items():
        folder = package.replace(".", "/") + "/"
        placed = [name.strip() for row in rows for name in row.split(":")]
        there = {
            source.path.removeprefix(folder).removesuffix(".py").split("/")[0]: source
            for source in sources
            if source.path.startswith(folder) and source.path != f"{folder}__init__.py"
        }
        for name, source in there.items():
            if placed.count(name) != 1:
                detail = f"{package}.{name} stands in {placed.count(name)} layers of {package}"
                yield Finding(source.path, 1, detail)
        for name in placed:
            if name not in there:
                detail = f"the layer {name} of {package} is no module"
                yield Finding("pyproject.toml", 1, detail)


RULES: Mapping[str, Callable[[Sequence[Source]], Iterator[Finding]]] = {
    rule.__name__: rule
    for rule in (defined_twice, many_positional, awkward_opening, old_word, wide_line, long_file, bare_ignore)
}
