"""Turns settings into what the core takes.

Settings build nothing of other layers, and the core does not know settings.
"""

from streams.core.funnels.dimensions import Dimension, Dimensions
from streams.core.identity.collective import CollectiveUsers
from streams.core.identity.links import Spans
from streams.core.ingest.apart import ApartRules
from streams.core.ingest.door import Door, InputDoor, door_of
from streams.core.ingest.input_doors import input_door
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.robots import robots_version
from streams.core.journeys.state import Patience
from streams.core.processing.parameters import IdentityParameters, Parameters
from streams.errors import ConfigError
from streams.settings.fold import FoldSettings
from streams.settings.identity import IdentitySettings
from streams.settings.tables import Settings
from streams.topology import EVENTS


def parameters_of(fold: FoldSettings) -> Parameters:
    """The parameters that these settings stand for."""
    stall = fold.patience
    patience = Patience(
        (stall.know, stall.go, stall.do, stall.buy),
        abandon=fold.abandon_after,
        refund=fold.refund_window,
        join=fold.join_window,
        grace=fold.purchase_grace,
    )
    dimensions = [Dimension(name, tuple(d.values), d.path, d.aliases) for name, d in fold.dimensions.items()]
    return Parameters(
        patience=patience,
        allowed_lateness_ms=fold.allowed_lateness,
        dimensions=Dimensions(dimensions),
        needs=tuple(fold.need),
        tenant=fold.tenant,
        orders=tuple(fold.order_id),
        values=tuple(fold.value),
        currency=fold.currency,
        identity=_identity(fold.identity),
    )


def _identity(given: IdentitySettings) -> IdentityParameters | None:
    """None: it is off."""
    if not given.on:
        return None
    spans = Spans(given.forward, given.back, given.shared_above)
    return IdentityParameters(spans, CollectiveUsers(given.collective, given.not_collective), given.ignore)


def record_reader(settings: Settings) -> RecordReader:
    """What reads the rows of files under these settings."""
    return RecordReader(door_of_settings(settings), EVENTS.name)


def door_of_settings(settings: Settings) -> Door:
    """How records are read under these settings."""
    inputs = {
        topic: input_door(given.format or settings.format, given.map or {}, given.zone or settings.zone)
        for topic, given in settings.inputs.items()
    }
    return door_of(
        settings.skew,
        inputs,
        input_door(settings.format, {}, settings.zone),
        placeholders=settings.placeholders,
        no_placeholders=settings.not_placeholders,
        orders=settings.order_id,
        apart=ApartRules(
            robots="" if settings.count_robots else robots_version(),
            robot_texts=tuple(settings.robots),
            no_robot_texts=tuple(settings.not_robots),
            consent_fields=tuple(settings.consent),
            consent_categories=tuple(settings.consent_categories),
        ),
    )


def file_door(settings: Settings) -> InputDoor:
    """How records of files are read under these settings. Raises ConfigError for a table of another topic."""
    known = settings.kafka.inputs or (EVENTS.name,)
    for topic in settings.inputs:
        if topic not in known:
            raise ConfigError(
                f"inputs.{topic}: no such topic is read; a data directory has the topic {EVENTS.name}, where "
                "all files go"
            )
    door = door_of_settings(settings)
    return door.inputs.get(EVENTS.name, door.others)
