"""What the fold settings come to, as the pure core uses them. The shell makes this of the settings."""

import msgspec

from streams.core.funnels.dimensions import Dimensions
from streams.core.journeys.state import Patience


class Parameters(msgspec.Struct, frozen=True):
    """Everything that decides what is counted. Durations in milliseconds of event time."""

    patience: Patience
    allowed_lateness_ms: int
    dimensions: Dimensions
    needs: tuple[str, ...] = ()  # paths, the first that holds something wins; none: all is one need
    tenant: str | None = None  # path
    orders: tuple[str, ...] = ()  # paths, the first that holds something wins
