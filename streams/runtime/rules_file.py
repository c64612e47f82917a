"""Reads the rules that a runtime starts with: the shipped ones, or a file of the user's own before them.

The core takes rules as text, since it does not see the machine.
"""

from pathlib import Path

from streams.core.moments.rules import Rules, default_rules, load_rules
from streams.errors import ConfigError


def read_rules(path: Path | None, orders: tuple[str, ...]) -> Rules:
    """The rules of a file; without one, the shipped rules. `orders`: the setting `order_id`.

    Raises ConfigError, which names the file.
    """
    if path is None:
        return default_rules(orders)
    try:
        return load_rules(path.read_text("utf-8"), orders=orders)
    except OSError as error:
        raise ConfigError(f"rules file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"rules file {path} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"
        ) from error
    except ConfigError as error:
        raise ConfigError(f"rules file {path}: {error}") from error
