"""Puts a bug into a module as it is imported.

For a process of its own: what is imported already stays as it is.
"""

import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from tests.planted import Bug

TOKEN = re.compile(r"\w+|\"[^\"\n]*\"|'[^'\n]*'|[^\w\s]")
CLOSING = {re.escape(bracket) for bracket in ")]}"}


BETWEEN = r"(?:[ \t]|#[^\n]*|\n)*"  # what a formatter may put between two tokens


def pattern(text: str) -> re.Pattern[str]:
    """Finds a piece of source text however it is broken into lines; its own first indentation counts."""
    body = text.lstrip()
    tokens = [re.escape(token) for token in TOKEN.findall(body)]
    closing = [rf",?{BETWEEN}{token}" if token in CLOSING else token for token in tokens]
    return re.compile(re.escape(text[: len(text) - len(body)]) + BETWEEN.join(closing))


def planted_in(source: str, bug: Bug) -> str:
    """The source of the bug's module with the bug in it."""
    for old, new in bug.changes:
        found = list(pattern(old).finditer(source))
        assert len(found) == 1, f"{bug.name}: {old!r} is {len(found)} times in {bug.module}: plant it anew"
        source = source[: found[0].start()] + new + source[found[0].end() :]
    return source


class _Loader(SourceFileLoader):
    """Compiles the changed source; cached byte code is neither read nor written."""

    bug: Bug

    def get_code(self, fullname: str) -> CodeType:
        source = planted_in(self.get_source(fullname) or "", self.bug)
        code: CodeType = compile(source, self.path, "exec", dont_inherit=True)
        return code


class _Finder(MetaPathFinder):
    def __init__(self, bug: Bug) -> None:
        self.bug = bug

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.bug.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        loader = _Loader(fullname, spec.origin)
        loader.bug = self.bug
        spec.loader = loader
        return spec


def plant(bug: Bug) -> None:
    """From here on this process runs with the bug."""
    assert bug.module not in sys.modules, f"{bug.module} is imported already"
    sys.meta_path.insert(0, _Finder(bug))
