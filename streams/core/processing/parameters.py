"""What the fold settings come to, as the pure core uses them. Made from `streams.settings` by the shell."""

import msgspec

from streams.core.funnels.dimensions import Dimensions
from streams.core.journeys.machine import Patience


class Parameters(msgspec.Struct, frozen=True):
    """Everything that decides what is counted. Durations in milliseconds of event time."""

    patience: Patience
    allowed_lateness_ms: int
    dimensions: Dimensions
    needs: tuple[str, ...] = ()  # paths, first that holds something wins; none: all is one need
    tenant: str | None = None  # path
    orders: tuple[str, ...] = ()  # paths, first that holds something wins
    at_home: bool = (
        False  # a person lives where the hash of their id says; False: wherever the input puts them
    )
