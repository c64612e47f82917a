"""The option that says how much memory a recomputation may take."""

import re
from typing import Annotated

import typer

from streams.cli.options import checked_text
from streams.errors import ConfigError

DEFAULT_MEMORY = "1GB"

_SIZES = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_SIZE = re.compile(r"(\d+)\s*([KMG]i?B)", re.IGNORECASE)

MemoryOption = Annotated[
    str,
    typer.Option(
        "--memory",
        metavar="SIZE",
        callback=checked_text,
        help="About how much memory it may take. With less, the input is read more often.",
    ),
]


def size_bytes(text: str) -> int:
    """The bytes of a size such as 512MB; a kilobyte has 1,024 bytes. Raises ConfigError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or int(found[1]) == 0:
        raise ConfigError(f"--memory {text}: write a size, such as 512MB or 2GB")
    return int(found[1]) * _SIZES[found[2].upper().replace("I", "")]
