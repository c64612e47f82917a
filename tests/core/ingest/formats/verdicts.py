"""What the shipped rules say about an event."""

from functools import cache

from streams.core.ingest.event import Event
from streams.core.moments.classifier import Classifier, classifier_for
from streams.core.moments.rules import default_rules
from streams.core.moments.verdict import INTENTS
from tests.core.ingest.formats.goldens import Golden
from tests.reading import read_record


@cache
def _classifier() -> Classifier:
    return classifier_for(default_rules())


def moment_of(record: Golden | Event) -> str:
    """`buy`, `know, unsure`, `none` and so on: the moment that the rules see in a record."""
    event = read_record(record.value, record.headers) if isinstance(record, Golden) else record
    assert isinstance(event, Event), event
    verdict = _classifier().classify(event)
    if verdict is None:
        return "none"
    return INTENTS[verdict.intent] + ("" if verdict.sure else ", unsure")
