"""Loads the agents of a user: a Python file or a module that imports `app` and topics from `streams.host`.

Whatever is wrong with it becomes a ConfigError that names the file, the line and the mistake.
"""

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

import faust

from streams.errors import ConfigError

EXAMPLE = "write @app.agent(transitions) above an async function, with app and transitions from streams.host"


def load_agents(name: str, app: faust.App) -> None:
    """Imports a file, `my_agents.py`, or a module, `shop.agents`. Raises ConfigError."""
    before = set(app.agents)
    try:
        _imported(name)
    except ConfigError:
        raise
    except SyntaxError as error:
        where = _where(name, error.lineno, error.filename)
        raise ConfigError(f"--agents {name}: is not Python: {error.msg} ({where})") from error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = _where(name, last.lineno, last.filename)
        raise ConfigError(f"--agents {name}: {type(error).__name__}: {error} ({where})") from error
    if not set(app.agents) - before:
        raise ConfigError(f"--agents {name}: there is no agent in it: {EXAMPLE}")


def _where(name: str, line: int | None, file: str | None) -> str:
    """The line, and the file if it is another one than `name`."""
    return f"line {line}" if file is None or Path(file) == Path(name).absolute() else f"line {line} of {file}"


def _imported(name: str) -> ModuleType:
    path = Path(name)
    if path.suffix != ".py":
        if all(part.isidentifier() for part in name.split(".")):
            if "" not in sys.path:
                sys.path.insert(0, "")  # the working directory, as `python -m` does
            return importlib.import_module(name)
        raise ConfigError(
            f"--agents {name}: is neither a Python file nor a module: write my_agents.py, or shop.agents"
        )
    if not path.is_file():
        raise ConfigError(f"--agents {name}: does not exist")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    if path.stem in sys.modules:
        raise ConfigError(
            f"--agents {name}: a module is called {path.stem} already: give the file another name"
        )
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module
