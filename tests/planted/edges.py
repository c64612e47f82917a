"""Planted bugs at the edges of bounds, which the simulator's random days miss: each breaks a test that aims
at its bound.
"""

from typing import NamedTuple

from tests.planted import Bug


class EdgeBug(NamedTuple):
    """A bug, and the test file that must catch it."""

    bug: Bug
    test: str


_BOUNDS = "tests/core/journeys/test_bounds.py"
_INPUTS = "tests/laws/test_inputs.py"
_FOLDING, _MACHINE = "streams.core.journeys.folding", "streams.core.journeys.machine"
_TRIMMING, _POPULATION = "streams.core.journeys.trimming", "streams.core.journeys.population"
_WATERMARK = "streams.core.processing.watermark"


def _edge(test: str, name: str, module: str, *texts: str) -> EdgeBug:
    return EdgeBug(Bug(name, module, tuple(zip(texts[::2], texts[1::2], strict=True))), test)


EDGE_BUGS = (
    _edge(
        _INPUTS,
        "a partition reports the greatest watermark of its inputs",
        _WATERMARK,
        "if waiting:\n            return min(waiting)",
        "if waiting:\n            return max(waiting)",
    ),
    _edge(
        _INPUTS,
        "a partition does not wait for its slower inputs",
        _WATERMARK,
        "if name != reading and name not in self._ended:",
        "if False:",
    ),
    _edge(
        _BOUNDS,
        "copies of an event compare by the numbers of their needs",
        _FOLDING,
        "sorted(need_name(p, record[3]) for record in stored))",
        "sorted(record[3] for record in stored))",
        "names = sorted(need_name(p, need) for need in needs)",
        "names = sorted(needs)",
    ),
    _edge(
        _BOUNDS,
        "copies of an event compare by their order before their rule",
        _FOLDING,
        "kept = (head, utc_offset, rule, order, sorted",
        "kept = (head, utc_offset, order, rule, sorted",
        'signal.utc_offset_quarters, signal.rule, signal.order or b"", names) < kept',
        'signal.utc_offset_quarters, signal.order or b"", signal.rule, names) < kept',
    ),
    _edge(
        _BOUNDS,
        "the dwell of the last stay of a path is overwritten by later ones",
        "streams.core.journeys.summary",
        "if summary.stays <= MAX_PATH_STAYS:\n            summary.path[-1] =",
        "if True:\n            summary.path[-1] =",
    ),
    _edge(
        _BOUNDS,
        "one conversion too few is remembered",
        _MACHINE,
        "s.conversions[1 - MAX_CONVERSIONS :]",
        "s.conversions[2 - MAX_CONVERSIONS :]",
    ),
    _edge(
        _BOUNDS,
        "a purchase exactly as old as the refund window is forgotten",
        _MACHINE,
        "at_ms - kept[expired].at_ms > patience.refund:",
        "at_ms - kept[expired].at_ms >= patience.refund:",
    ),
    _edge(
        _BOUNDS,
        "a purchase exactly as old as the refund window cannot be refunded",
        _MACHINE,
        "if not c.refunded and at_ms - c.at_ms <= patience.refund and",
        "if not c.refunded and at_ms - c.at_ms < patience.refund and",
    ),
    _edge(
        _BOUNDS,
        "a truth joins a millisecond too long",
        _MACHINE,
        "if at_ms - c.at_ms > patience.join:",
        "if at_ms - c.at_ms > patience.join + 1:",
    ),
    _edge(
        _BOUNDS,
        "ids are known a millisecond too long",
        _POPULATION,
        "self.watermark_ms - lateness_ms, self.watermark_ms - 2 * lateness_ms, self.timers_fired_ms",
        "self.watermark_ms - lateness_ms, self.watermark_ms - 2 * lateness_ms - 1, self.timers_fired_ms",
    ),
    _edge(
        _BOUNDS,
        "segments are folded a millisecond early",
        _TRIMMING,
        "time_at(p.journal, SEGMENT - 1) >= bounds.oldest_ms:",
        "time_at(p.journal, SEGMENT - 1) > bounds.oldest_ms:",
    ),
    _edge(
        _BOUNDS,
        "a journey that closed exactly the allowed lateness ago is final",
        _POPULATION,
        "p.final_ms <= happened_ms(f) < oldest_ms]",
        "p.final_ms <= happened_ms(f) <= oldest_ms]",
    ),
    _edge(
        "tests/core/processing/test_dead_letters.py",
        "a dead letter that was cut by one byte does not say so",
        "streams.core.processing.dead_letters",
        "if len(value) > MAX_VALUE_BYTES else",
        "if len(value) > MAX_VALUE_BYTES + 1 else",
    ),
)
