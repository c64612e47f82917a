"""Turns what pydantic reports about a wrong setting into one line for a person.

The line is `key = value: what would be right (origin)`. The origin is the flag, the variable or the file that
gave the value. The value of a secret is never shown.
"""

import difflib
import os
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from streams.settings.fields import HIDDEN_VALUE
from streams.settings.tables import TABLES, Settings

VARIABLE_PREFIX = "STREAMS_"

# Kubernetes sets these in every container beside a service that is called `streams`.
KUBERNETES_VARIABLE = re.compile(r"STREAMS_(SERVICE_.*|PORT(_\d+_.*)?)")

FLAGS = {"kafka.bootstrap": "--kafka", "kafka.app": "--app", "kafka.inputs": "--input"}
"""The flags that are not called like their keys."""

PLAIN_TEXTS = {
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "path_type": "must be a path",
    "string_type": "must be text",
}
"""Our texts for those kinds of error whose own text speaks of Python."""


def unknown_variables() -> list[str]:
    """A line for each variable of the environment that has our prefix and is no setting.

    A wrong key below a table's name is found with the values.
    """
    lines = []
    for variable in sorted(os.environ):
        name = variable.upper()
        if not name.startswith(VARIABLE_PREFIX) or KUBERNETES_VARIABLE.fullmatch(name):
            continue
        key, _, below = variable[len(VARIABLE_PREFIX) :].lower().partition("__")
        if key not in Settings.model_fields or (below and key not in TABLES):
            lines.append(f"{variable} is no setting{_suggestion(key, Settings.model_fields)}")
    return lines


def problem(details: ErrorDetails, file: str, flags: Mapping[str, Any]) -> str:
    """The line about one error. `file` and `flags` gave settings, beside the environment."""
    path = [str(part) for part in details["loc"]]
    key, text = ".".join(path), details["msg"].removeprefix("Value error, ")
    if details["type"] == "extra_forbidden":
        text = f"no such setting{_suggestion(path[-1], _table_of(path).model_fields)}"
    elif details["type"] in PLAIN_TEXTS:
        text = PLAIN_TEXTS[details["type"]]
    elif details["type"] == "missing":
        return f"{key}: is missing ({_origin(path, file, flags)})"
    elif not isinstance(details["input"], str | int | float | list) or not path:
        return text if not path or text.startswith(f"{key}.") else f"{key}: {text}"
    value = HIDDEN_VALUE if _is_secret(path) else repr(details["input"])
    return f"{key} = {value}: {text} ({_origin(path, file, flags)})"


def _table_of(path: list[str]) -> Any:
    return TABLES.get(path[0] if len(path) > 1 else None, Settings)


def _is_secret(path: list[str]) -> bool:
    """Whether a value must not be shown.

    In a table that holds a secret, the value of an unknown key is one too: the key may be that of the secret,
    misspelt.
    """
    fields = _table_of(path).model_fields
    key = path[1] if len(path) > 1 else path[0]
    secrets = [name for name, field in fields.items() if "SecretStr" in str(field.annotation)]
    return bool(secrets) if key not in fields else any(part in secrets for part in path)


def _origin(path: list[str], file: str, flags: Mapping[str, Any]) -> str:
    given: Any = flags
    for depth, part in enumerate(path, 1):
        if not isinstance(given, Mapping) or part not in given:
            break
        given = given[part]
        if depth == len(path) or not isinstance(given, Mapping):
            key = ".".join(path[:depth])
            return FLAGS.get(key) or "--" + key.replace("_", "-").replace(".", "-")
    variables = {name.upper() for name in os.environ}
    for depth in range(len(path), 0, -1):
        if (variable := VARIABLE_PREFIX + "__".join(path[:depth]).upper()) in variables:
            return variable
    return file


def _suggestion(key: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f": did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
