"""A source file as the rules see it: its text, its syntax tree, and the prose in it."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FOLDERS = ("streams", "schemas")


class Finding(NamedTuple):
    """One place that breaks a rule."""

    path: str
    line: int
    detail: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.detail}"


class Prose(NamedTuple):
    """A string, or comments that follow each other line by line, with the line where it begins."""

    line: int
    text: str


@dataclass(frozen=True)
class Source:
    path: str  # from the root of the project, with slashes
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    def docstrings(self) -> Iterator[Prose]:
        """Docstrings of the file, its classes and functions, and those below a constant or a field."""
        for node in self.nodes:
            match node:
                case ast.Expr(ast.Constant(str(text), lineno=line)):
                    yield Prose(line, text)

    def strings(self) -> Iterator[Prose]:
        """All strings, with the literal pieces of f-strings."""
        for node in self.nodes:
            match node:
                case ast.Constant(str(text), lineno=line):
                    yield Prose(line, text)

    def comments(self) -> Iterator[Prose]:
        """Comments; those on lines of their own that follow each other are one, so that a phrase may be
        wrapped.
        """
        line, end, block = 0, 0, ""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type != tokenize.COMMENT:
                continue
            row, text = token.start[0], token.string.lstrip("#")
            if block and row == end + 1 and not token.line[: token.start[1]].strip():
                block += "\n" + text
            else:
                if block:
                    yield Prose(line, block)
                line, block = row, text
            end = row
        if block:
            yield Prose(line, block)

    def names(self) -> Iterator[tuple[int, str]]:
        """Names that the file gives, with their lines: not those that it only uses, which may be somebody
        else's.
        """
        for node in self.nodes:
            match node:
                case ast.ClassDef(name=name, lineno=line) | ast.FunctionDef(name=name, lineno=line):
                    yield line, name
                case ast.AsyncFunctionDef(name=name, lineno=line):
                    yield line, name
                case ast.arg(arg=name, lineno=line):
                    yield line, name
                case ast.Name(id=name, ctx=ast.Store(), lineno=line):
                    yield line, name
                case ast.Attribute(attr=name, ctx=ast.Store(), lineno=line):
                    yield line, name
                case ast.alias(asname=str(name), lineno=line):
                    yield line, name
                case ast.MatchAs(name=str(name), lineno=line) | ast.MatchStar(name=str(name), lineno=line):
                    yield line, name
                case ast.ExceptHandler(name=str(name), lineno=line):
                    yield line, name


def product() -> tuple[Source, ...]:
    """Every Python file of the product."""
    return tuple(
        Source(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
        for folder in FOLDERS
        for file in sorted((ROOT / folder).rglob("*.py"))
    )


def line_of(prose: Prose, match: re.Match[str]) -> int:
    """The line of a match. Of a string with escaped line ends it is an estimate."""
    return prose.line + prose.text.count("\n", 0, match.start())
