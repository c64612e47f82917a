"""Puts a bug into a module as it is imported. For a process of its own: what is imported already stays as it is."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from tests.planted import Bug


class _Loader(SourceFileLoader):
    """Compiles the changed source; cached byte code is neither read nor written."""

    bug: Bug

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_source(fullname) or ""
        for old, new in self.bug.changes:
            assert source.count(old) == 1, f"{self.bug.name}: {old!r} is {source.count(old)} times in {fullname}: plant it anew"
            source = source.replace(old, new)
        code: CodeType = compile(source, self.path, "exec", dont_inherit=True)
        return code


class _Finder(MetaPathFinder):
    def __init__(self, bug: Bug) -> None:
        self.bug = bug

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
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
