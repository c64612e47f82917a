"""How the verdicts of two sets of rules differ over many events: how often, in which way, and for example.

Memory is bounded, whatever the events are: the counts are by moment, the kinds of change are at most
MAX_KINDS, and of each kind a few samples are kept. Which ones depends on where the events stand in the log
and on nothing else, so the same events always give the same samples.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from streams.core.ingest.event import Event
from streams.core.moments.classifier import classifier_for
from streams.core.moments.rules import Rules
from streams.core.moments.verdict import CUE_NAMES, INTENTS, NO_CUE, TRUTH, Verdict
from streams.core.processing.json_text import rfc3339
from streams.queries.origins import Origin
from streams.queries.shown_verdict import MAX_SHOWN_CHARS, ShownVerdict, shown_verdict
from streams.topology import split_source

# Pairs of rules that read one event. A real change of rules has some tens; a file that renames every rule has
# hundreds.
MAX_KINDS = 1_000
MAX_SAMPLES = 20  # of a kind: with MAX_KINDS of them they take about 30 MB

NO_SIGNAL = "none"  # the moment of an event that is no signal


class Sight(msgspec.Struct, frozen=True):
    """What one set of rules sees in an event."""

    moment: str  # one of INTENTS, or NO_SIGNAL
    sure: bool
    cue: str | None
    rule: str | None  # None: no rule reads it, or one that says `none`

    def same(self, other: "Sight") -> bool:
        """True if both are equal in all that a journey is made of; the rules may have other names."""
        return (self.moment, self.sure, self.cue) == (other.moment, other.sure, other.cue)


class VerdictCount(msgspec.Struct, frozen=True):
    """How many events the two read as these two moments."""

    one: str
    one_sure: bool
    other: str
    other_sure: bool
    events: int


class SampledEvent(msgspec.Struct, frozen=True):
    """An event that the two read differently. It does not say whose it is; a search is what one typed."""

    topic: str
    partition: int
    offset: int
    index: int
    at: str
    type: str
    name: str
    page: str  # without what follows a question mark: names, addresses, tokens
    search: str
    one: ShownVerdict
    other: ShownVerdict


class ChangedKind(msgspec.Struct, frozen=True):
    """All events that one rule reads as this, and another rule reads as that."""

    one: Sight
    other: Sight
    events: int
    samples: tuple[SampledEvent, ...]


_Rank = tuple[bytes, str]
"""A hash of the place in a topic, and the topic: an app on Kafka and a data directory name topics
differently, and show the same samples.
"""


class _Kind:
    """What is known of one kind so far: the samples of the least ranks."""

    def __init__(self) -> None:
        self.events = 0
        self.samples: list[tuple[_Rank, SampledEvent]] = []


class VerdictChanges:
    """The verdicts of two sets of rules on the same events."""

    def __init__(self, one: Rules, other: Rules, samples: int) -> None:
        """`samples`: how many of each kind of change are kept."""
        self._one, self._other, self._most = classifier_for(one), classifier_for(other), samples
        self._names = [rule.name for rule in one.rules], [rule.name for rule in other.rules]
        self.events = 0
        self.unlisted = 0  # events that are read differently, in kinds beyond the bound
        self._counts: Counter[tuple[str, bool, str, bool]] = Counter()
        self._kinds: dict[tuple[Sight, Sight], _Kind] = {}
        self._sights: tuple[dict[Verdict | None, Sight], ...] = ({}, {})  # of each side, by verdict

    def add(self, event: Event, origin: Origin, verdicts: tuple[Verdict | None, Verdict | None]) -> None:
        """Counts an event by what the two say of it."""
        one, other = self._sight(0, verdicts[0]), self._sight(1, verdicts[1])
        self.events += 1
        self._counts[one.moment, one.sure, other.moment, other.sure] += 1
        if one.same(other):
            return
        kind = self._kinds.get((one, other))
        if kind is None:
            if len(self._kinds) >= MAX_KINDS:
                self.unlisted += 1
                return
            kind = self._kinds[one, other] = _Kind()
        kind.events += 1
        self._sample(kind, event, origin)

    def _sight(self, side: int, verdict: Verdict | None) -> Sight:
        known = self._sights[side].get(verdict)
        if known is None:
            known = self._sights[side][verdict] = sight_of(verdict, self._names[side])
        return known

    def _sample(self, kind: _Kind, event: Event, origin: Origin) -> None:
        topic, partition = split_source(origin.source)
        place = f"{partition} {origin.offset} {origin.index}".encode()
        rank, samples = (blake2b(place, digest_size=8).digest(), topic), kind.samples
        if len(samples) >= self._most and (not samples or rank >= samples[-1][0]):
            return
        samples.append((rank, self._sampled(event, origin)))
        samples.sort(key=lambda sample: sample[0])
        del samples[self._most :]

    def _sampled(self, event: Event, origin: Origin) -> SampledEvent:
        topic, partition = split_source(origin.source)
        texts = [reader.texts_of(event) for reader in (self._one, self._other)]
        return SampledEvent(
            topic=topic,
            partition=partition,
            offset=origin.offset,
            index=origin.index,
            at=rfc3339(event.at_ms),
            type=event.type,
            name=event.name[:MAX_SHOWN_CHARS],
            page=(texts[0].page or texts[1].page).partition("?")[0][:MAX_SHOWN_CHARS],
            search=(texts[0].search or texts[1].search)[:MAX_SHOWN_CHARS],
            one=shown_verdict(self._one.explain(event)),
            other=shown_verdict(self._other.explain(event)),
        )

    @property
    def counts(self) -> tuple[VerdictCount, ...]:
        """The confusion matrix: what there is at least once, in the order of moments."""
        return tuple(VerdictCount(*cell, n) for cell, n in sorted(self._counts.items(), key=_matrix_order))

    @property
    def kinds(self) -> tuple[ChangedKind, ...]:
        """The kinds of change: first those about purchases, which are dearest, then the most frequent."""
        ordered = sorted(
            self._kinds.items(),
            key=lambda item: (not _is_about_purchases(*item[0]), -item[1].events, repr(item[0])),
        )
        return tuple(
            ChangedKind(*sights, kind.events, tuple(sample for _, sample in kind.samples))
            for sights, kind in ordered
        )


def sight_of(verdict: Verdict | None, rules: Sequence[str]) -> Sight:
    """What a verdict is, in words. `rules`: their names by number."""
    if verdict is None:
        return Sight(NO_SIGNAL, sure=False, cue=None, rule=None)
    cue = None if verdict.cue == NO_CUE else CUE_NAMES[verdict.cue - 1]
    return Sight(INTENTS[verdict.intent], verdict.sure, cue, rules[verdict.rule])


def _is_about_purchases(one: Sight, other: Sight) -> bool:
    return not {one.moment, other.moment}.isdisjoint(INTENTS[TRUTH:])


def _matrix_order(cell: tuple[tuple[str, bool, str, bool], int]) -> tuple[int, ...]:
    one, one_sure, other, other_sure = cell[0]
    return MOMENT_ORDER[one], -one_sure, MOMENT_ORDER[other], -other_sure


MOMENT_ORDER = {moment: place for place, moment in enumerate((NO_SIGNAL, *INTENTS))}
