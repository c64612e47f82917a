"""The fold settings under which a log was written, which are not always those of this command."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from streams.cli.opened_log import OpenedLog

if TYPE_CHECKING:
    from streams.core.processing.checkpoint import Checkpoint


def recorded_setting(log: OpenedLog, stored: "Sequence[Checkpoint | None]", setting: str) -> Any:
    """A fold setting under which the log was written; that of this command where nothing was written."""
    recorded = next((checkpoint.fold for checkpoint in stored if checkpoint is not None), None)
    return getattr(log.settings, setting) if recorded is None else json.loads(recorded)[setting]


def recorded_dimensions(log: OpenedLog, stored: "Sequence[Checkpoint | None]") -> list[str]:
    """The names of the dimensions, those that are always there first."""
    from streams.settings.fold import BUILT_IN

    known = recorded_setting(log, stored, "dimensions")
    return [*BUILT_IN, *sorted(set(known) - set(BUILT_IN))]
