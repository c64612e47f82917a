"""The fold settings in the form that the pure core uses. `streams/runtime/parameters.py` makes it."""

import msgspec

from streams.core.funnels.dimensions import Dimensions
from streams.core.identity.collective import CollectiveUsers
from streams.core.identity.links import Spans
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.state import Patience


class IdentityParameters(msgspec.Struct, frozen=True):
    """What the settings say of one person over several devices."""

    spans: Spans
    collective: CollectiveUsers
    ignore: str | None = None  # a path: an event that has a true value there is no link


class Parameters(msgspec.Struct, frozen=True):
    """All settings that decide what is counted. Paths lead into an event, as `properties.category` does."""

    patience: Patience
    allowed_lateness_ms: int
    dimensions: Dimensions
    needs: tuple[str, ...] = ()  # paths: the first that holds a name wins. Without any, all is one need
    tenant: str | None = None  # a path
    orders: tuple[str, ...] = ()  # paths: the first that holds a name wins
    values: tuple[str, ...] = ()  # paths of amounts: the first that holds anything wins
    currency: str | None = None  # of amounts that name none
    identity: IdentityParameters | None = None  # None: it is off

    @property
    def finality(self) -> FinalityDelay:
        """How long what has happened can still change."""
        back_ms = self.identity.spans.back_ms if self.identity is not None else 0
        return FinalityDelay(self.allowed_lateness_ms, back_ms)
