"""Reads a published transition or cue back as the step that it was written from, as far as counters need
it.
"""

from collections.abc import Mapping

import msgspec

from schemas import Cue, Transition
from streams.core.funnels.currencies import NO_CURRENCY, currency_number
from streams.core.funnels.dimensions import Dimensions
from streams.core.ingest.times import parse_time
from streams.core.journeys.journey_step import CUE, KIND_NAMES, NO_MOMENT, JourneyStep
from streams.core.moments.verdict import CUE_NAMES, INTENTS

_decode = msgspec.json.Decoder(Transition).decode
_decode_cue = msgspec.json.Decoder(Cue).decode
_KINDS = {name: code for code, name in enumerate(KIND_NAMES) if name}
_MOMENTS: Mapping[str | None, int] = {None: NO_MOMENT} | {name: n for n, name in enumerate(INTENTS[:5])}
_QUARTER_MIN = 15


class StepReader:
    """Reads transitions that were written under these dimensions."""

    def __init__(self, dimensions: Dimensions) -> None:
        self._codes = {_words(dimensions.names(code)): code for code in range(dimensions.codes)}

    def read(self, raw: bytes) -> JourneyStep:
        """The step. Its causing event, its journey and its rule are left out, since no counter has them."""
        t = _decode(raw)
        return JourneyStep(
            kind=_KINDS[t.kind],
            need=0,
            at_ms=_ms(t.at),
            caused_by=b"",
            journey=b"",
            opened_ms=_ms(t.opened_at),
            from_moment=_MOMENTS[t.from_],
            to_moment=_MOMENTS[t.to],
            dwell_ms=-1 if t.dwell_s is None else round(t.dwell_s * 1000),
            furthest_before=_MOMENTS[t.furthest_before],
            furthest=_MOMENTS[t.furthest],
            first_entry=t.first_entry,
            dims=self._codes[_words(t.dimensions)],
            opened_dims=self._codes[_words(t.opened_dimensions)],
            utc_offset_quarters=t.utc_offset_min // _QUARTER_MIN,
            rule=-1,
            amount=None if t.value_minor is msgspec.UNSET else t.value_minor,
            currency=NO_CURRENCY if t.currency is msgspec.UNSET else currency_number(t.currency),
            stitched=t.stitched is True,
        )

    def read_cue(self, raw: bytes) -> JourneyStep:
        """The step of a cue, likewise."""
        t = _decode_cue(raw)
        moment = _MOMENTS[t.moment]
        return JourneyStep(
            CUE,
            0,
            at_ms=_ms(t.at),
            caused_by=b"",
            journey=b"",
            opened_ms=_ms(t.opened_at),
            from_moment=moment,
            to_moment=moment,
            dwell_ms=-1,
            furthest_before=moment,
            furthest=moment,
            first_entry=False,
            dims=self._codes[_words(t.dimensions)],
            opened_dims=0,
            utc_offset_quarters=0,
            rule=-1,
            cue=CUE_NAMES.index(t.cue) + 1,
        )


def _words(names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(names.items()))


def _ms(text: str) -> int:
    parsed = parse_time(text)
    assert parsed is not None, "we wrote it"
    return parsed[0]
