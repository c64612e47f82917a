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
_NEEDS, _REFUNDS = "streams.core.journeys.needs", "streams.core.journeys.refunds"
_GOLDEN, _CONVERSIONS = "tests/core/journeys/test_golden.py", "streams.core.journeys.conversions"
_AMOUNTS, _MONEY = "streams.core.processing.amounts", "tests/core/processing/test_money.py"
_LAWS = "tests/laws/test_needs.py"
_STORIES = "tests/core/journeys/test_golden.py"
_ORDERS = "tests/core/processing/test_orders.py"
_REDRIVEN = "tests/core/journeys/test_redriven_stories.py"
_FINALITY = "streams.core.journeys.finality"
_WATERMARK = "streams.core.processing.watermark"
_REGISTRY = "tests/log/kafka/registry"
_APART = "tests/core/processing/test_apart.py"
_OTHER_RULES = "tests/queries/test_rules_comparison.py"


def _edge(test: str, name: str, module: str, *texts: str) -> EdgeBug:
    return EdgeBug(Bug(name, module, tuple(zip(texts[::2], texts[1::2], strict=True))), test)


EDGE_BUGS = (
    _edge(
        _REDRIVEN,
        "a redriven event changes a journey that is final",
        _FINALITY,
        "if settled_ms(final, patience) < time.oldest_ms:",
        "if not settled_ms(final, patience):",
    ),
    _edge(
        _REDRIVEN,
        "what is redriven becomes final before the next item comes",
        _FINALITY,
        "if p.redriving is None or time.oldest_ms > p.redriving.watermark_ms:",
        "if True:",
    ),
    _edge(
        _REDRIVEN,
        "a redriven purchase gives grace to a journey that is final",
        _FINALITY,
        "if any(ms < then_ms <= ms + patience.grace for ms in bought_ms):",
        "if False:",
    ),
    _edge(
        "tests/laws/test_redriving.py",
        "a copy of what was redriven counts again",
        _POPULATION,
        "if is_redriven else bounds",
        "if False else bounds",
    ),
    _edge(
        "tests/laws/test_redriving.py",
        "a redriven event is taken before the base",
        _FINALITY,
        "if facts_key(signal.head, signal.ref) < p.base_end:",
        "if False:",
    ),
    _edge(
        _APART,
        "a dead letter keeps the bytes of who refused",
        "streams.core.processing.dead_letters",
        "record = Record(record.offset, record.time_ms, None, None, (), record.index)",
        "pass",
    ),
    _edge(
        _APART,
        "a rejection names what it found of who refused",
        "streams.core.processing.dead_letters",
        "REFUSED_DETAIL if rejection.is_refused else rejection.detail",
        "rejection.detail",
    ),
    _edge(
        "tests/core/processing/test_apart_stories.py",
        "the client of a program is a robot wherever it sends from",
        "streams.core.ingest.apart",
        "shown == LIBRARY and _is_browsed(event.channel)",
        "shown == LIBRARY",
    ),
    _edge(
        "tests/queries/test_apart.py",
        "an upgrade of the list of robots reads older eras anew",
        "streams.core.ingest.door",
        'and door.apart.robots in ("", robots_version())',
        "and True",
    ),
    _edge(
        "tests/core/ingest/test_consent.py",
        "categories of consent are compared as they are written",
        "streams.core.ingest.consent",
        'return _NO_WORD.sub("", word).lower()',
        "return word",
    ),
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
        "needs = needs_order(need_name(p, record[3]) for record in stored)",
        "needs = needs_order(str(record[3]) for record in stored)",
        "names = needs_order(signal.needs)",
        "names = needs_order(str(p.needs.index(name)) for name in signal.needs)",
    ),
    _edge(
        _BOUNDS,
        "copies of an event compare by their order facts before their rule",
        _FOLDING,
        "kept = (head, utc_offset, rule, cue, facts, needs)",
        "kept = (head, utc_offset, facts, rule, cue, needs)",
        "signal.utc_offset_quarters, signal.rule, signal.cue, given, names) < kept",
        "signal.utc_offset_quarters, given, signal.rule, signal.cue, names) < kept",
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
        _REFUNDS,
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
        "one live signal too few is held",
        _TRIMMING,
        "over_cap = len(p.journal) > MAX_LIVE_SIGNALS * SIZE",
        "over_cap = len(p.journal) >= MAX_LIVE_SIGNALS * SIZE",
    ),
    _edge(
        _BOUNDS,
        "one live signal too many is held",
        _TRIMMING,
        "over_cap = len(p.journal) > MAX_LIVE_SIGNALS * SIZE",
        "over_cap = len(p.journal) > (MAX_LIVE_SIGNALS + 1) * SIZE",
    ),
    _edge(
        _BOUNDS,
        "the ids of one folded segment too few are known",
        _TRIMMING,
        "len(segments) * SEGMENT > MAX_FOLDED_IDS",
        "len(segments) * SEGMENT >= MAX_FOLDED_IDS",
    ),
    _edge(
        _BOUNDS,
        "the ids of one folded segment too many are known",
        _TRIMMING,
        "len(segments) * SEGMENT > MAX_FOLDED_IDS",
        "len(segments) * SEGMENT > MAX_FOLDED_IDS + SEGMENT",
    ),
    _edge(
        _BOUNDS,
        "a journey that closed exactly the allowed lateness ago is final",
        _POPULATION,
        "settled_ms(f, self.patience) < oldest_ms]",
        "settled_ms(f, self.patience) <= oldest_ms]",
    ),
    _edge(
        _BOUNDS,
        "of two sets of needs the one with more is the smaller",
        _FOLDING,
        "return len(ordered), ordered",
        "return -len(ordered), ordered",
    ),
    _edge(
        _LAWS,
        "a need holds its place for ever",
        _NEEDS,
        "    if (s.moment >= 0 or s.outcome == ABANDONED) and",
        "    if s.journey:\n        return True\n    if (s.moment >= 0 or s.outcome == ABANDONED) and",
    ),
    _edge(
        _LAWS,
        "a need gives its place up a millisecond early",
        _NEEDS,
        "s.last_sign_ms + patience.abandon >= oldest_ms:",
        "s.last_sign_ms + patience.abandon > oldest_ms:",
    ),
    _edge(
        _LAWS,
        "a purchase that can still be refunded holds no place",
        _NEEDS,
        "return s.conversions[-1].at_ms + max(patience.refund, patience.join) >= oldest_ms",
        "return False",
    ),
    _edge(
        _LAWS,
        "a need's place follows the timers",
        _NEEDS,
        "if (s.moment >= 0 or s.outcome == ABANDONED) and",
        "if s.moment >= 0 and",
    ),
    _edge(
        _LAWS,
        "a number is given to another need while kept signals bear it",
        _NEEDS,
        "if not s.journey and s.need not in kept and s.need not in pending",
        "if not s.journey and s.need not in pending",
    ),
    _edge(
        "tests/core/journeys/test_population.py",
        "an event that is not applied leaves its needs behind",
        _POPULATION,
        "p.needs, p.states = known",
        "pass",
    ),
    _edge(
        "tests/core/journeys/test_population.py",
        "a number is given to another need while unpublished steps bear it",
        _NEEDS,
        "if not s.journey and s.need not in kept and s.need not in pending",
        "if not s.journey and s.need not in kept",
    ),
    _edge(
        _LAWS,
        "what a need was stays beside its number",
        _NEEDS,
        "    p.base = [State(need=s.need, name=s.name) if s.need in over else s for s in p.base or ()] "
        "or None\n",
        "",
    ),
    _edge(
        _LAWS,
        "needs that are over come back to current once some were forgotten",
        _NEEDS,
        "if not p.released and len(had) <= MAX_NEEDS:",
        "if len(had) <= MAX_NEEDS:",
    ),
    _edge(
        _LAWS,
        "a need is forgotten while a copy can undo that there are too many",
        _NEEDS,
        " and s.opened_ms < oldest_ms",
        "",
    ),
    _edge(
        _LAWS,
        "a need is forgotten although few had a journey",
        _NEEDS,
        'sum(s.journey != b"" and s.opened_ms < oldest_ms for s in p.states) <= MAX_NEEDS:',
        "False:",
    ),
    _edge(
        _LAWS,
        "that needs were forgotten is forgotten by a restart",
        "streams.core.journeys.store",
        "        released=base.released,\n",
        "",
    ),
    _edge(
        _LAWS,
        "a person whose needs were all forgotten never had a journey",
        _POPULATION,
        "+= not p.released and not any(",
        "+= not any(",
    ),
    _edge(
        _LAWS,
        "an event without a place for one need is thrown away",
        _POPULATION,
        "if not placed:\n            return OVER_CAP",
        "if len(placed) < len(names):\n            return OVER_CAP",
    ),
    _edge(
        _LAWS,
        "a copy is judged by the needs that it has places for",
        _POPULATION,
        "outcome = judge_event(p, signal, bounds).outcome",
        "outcome = APPLIED",
    ),
    _edge(
        "tests/core/journeys/test_golden.py",
        "the cue of a purchase is in the moment before it",
        _MACHINE,
        "s.moment if s.moment >= 0 else TRUTH",
        "s.moment if s.moment >= 0 else 3",
    ),
    _edge(
        _BOUNDS,
        "a journey has one cue too many",
        _MACHINE,
        "s.cues >= MAX_CUES:",
        "s.cues > MAX_CUES:",
    ),
    _edge(
        _BOUNDS,
        "copies of an event do not compare by their cue",
        _FOLDING,
        "kept = (head, utc_offset, rule, cue, facts, needs)",
        "kept = (head, utc_offset, rule, 0, facts, needs)",
        "signal.utc_offset_quarters, signal.rule, signal.cue, given, names) < kept",
        "signal.utc_offset_quarters, signal.rule, 0, given, names) < kept",
    ),
    _edge(
        "tests/core/processing/test_dead_letters.py",
        "a dead letter that was cut by one byte does not say so",
        "streams.core.processing.dead_letters",
        "if len(value) > MAX_VALUE_BYTES else",
        "if len(value) > MAX_VALUE_BYTES + 1 else",
    ),
    _edge(
        _STORIES,
        "the grace of a purchase ends a millisecond early",
        _MACHINE,
        "if at_ms - c.at_ms > patience.grace:",
        "if at_ms - c.at_ms >= patience.grace:",
    ),
    _edge(
        _STORIES,
        "the grace of a purchase holds for other orders",
        _MACHINE,
        "if order is None or c.order is None or order == c.order:",
        "if True:",
    ),
    _edge(
        _STORIES,
        "a cart that names no need is in the grace of nameless purchases only",
        _MACHINE,
        "return states if need == NAMELESS_NUMBER else (states[need],)",
        "return (states[need],)",
    ),
    _edge(
        _STORIES,
        "a cart is in the grace of purchases of other needs",
        _MACHINE,
        "return states if need == NAMELESS_NUMBER else (states[need],)",
        "return states",
    ),
    _edge(
        _STORIES,
        "an order that is edited is a purchase",
        _MACHINE,
        "(update == Update.OLD or moment != BUY)",
        "update == Update.OLD",
    ),
    _edge(
        _STORIES,
        "an old order converts who is in buy",
        _MACHINE,
        "(update == Update.OLD or moment != BUY)",
        "moment != BUY",
    ),
    _edge(
        _STORIES,
        "the order of a buy signal is not looked at when a journal is read again",
        _FOLDING,
        "head >> INTENT & 7 >= BUY",
        "head >> INTENT & 7 > BUY",
    ),
    _edge(
        _ORDERS,
        "an update of an old order that nobody knows is not late",
        "streams.core.journeys.updates",
        "    return ALWAYS_LATE_MS",
        "    return at_ms",
    ),
    _edge(
        _ORDERS,
        "an update is late by its own time, whenever its order was made",
        "streams.core.journeys.updates",
        "        return at_ms\n    if p is not None",
        "        return 1 << 62\n    if p is not None",
    ),
    _edge(
        _ORDERS,
        "an order is old a millisecond early",
        "streams.core.journeys.updates",
        "if at_ms - ordered_ms > allowed_lateness_ms:",
        "if at_ms - ordered_ms >= allowed_lateness_ms:",
    ),
    _edge(
        _ORDERS,
        "an update in whole seconds comes before its purchase",
        "streams.core.journeys.updates",
        "ordered_ms += SECOND_MS - 1",
        "pass",
    ),
    _edge(
        _ORDERS,
        "the order id in a path is folded as paths are",
        "streams.core.moments.pages",
        "return _without_suffix(_raw_segments(address)[n])",
        "return segment",
    ),
    _edge(
        _ORDERS,
        "a placeholder in a path is an order id",
        "streams.core.processing.signals",
        "if order in _NO_ORDERS:",
        "if False:",
    ),
    _edge(
        _BOUNDS,
        "copies of an event do not compare by what they say of an update",
        "streams.core.journeys.order_facts",
        'return facts.order or b"", facts.update, money_order(facts.money)',
        'return facts.order or b"", Update.NONE, money_order(facts.money)',
    ),
    _edge(
        _GOLDEN,
        "a refund of the whole order gives back no more than the first need's part",
        _REFUNDS,
        "rest, items = rest - part, 0",
        "rest, items = 0, 0",
    ),
    _edge(
        _GOLDEN,
        "a refund gives back what it says, and not what is left",
        _REFUNDS,
        "out.append(step_of_refund(s.need, signal, c, REFUNDED, _amount_left(c)))",
        "out.append(step_of_refund(s.need, signal, c, REFUNDED, c.money and c.money.amount))",
    ),
    _edge(
        _GOLDEN,
        "amounts are compared whatever their currencies",
        _REFUNDS,
        "and known.currency == stated.currency",
        "and known.currency >= -1",
    ),
    _edge(
        _GOLDEN,
        "pieces that came back are not counted",
        _REFUNDS,
        "returned_items=c.returned_items + items,",
        "returned_items=c.returned_items,",
    ),
    _edge(
        _GOLDEN,
        "a page's amount takes the place of the server's",
        _CONVERSIONS,
        "left_open = None if money.by_server else stated",
        "left_open = stated",
        "and not money.by_server:",
        "and False:",
    ),
    _edge(
        _GOLDEN,
        "a truth states the money after the join window",
        _CONVERSIONS,
        "if (signal.head >> TIME) - c.at_ms > patience.join:",
        "if False:",
    ),
    _edge(
        _GOLDEN,
        "what was given back does not fix the amount",
        _REFUNDS,
        "returned_items=c.returned_items + items,\n        step=None,",
        "returned_items=c.returned_items + items,",
    ),
    _edge(
        _GOLDEN,
        "a correction of the amount does not take back the earlier one",
        _CONVERSIONS,
        "out += (withdrawn(step), stated)",
        "out.append(stated)",
    ),
    _edge(
        "tests/core/journeys/test_finals.py",
        "a purchase is final while a truth may still state its money",
        "streams.core.journeys.summary",
        "return final.closed_ms + patience.join",
        "return final.closed_ms",
    ),
    _edge(
        _MONEY,
        "amounts are computed in floats",
        _AMOUNTS,
        "scaled = value.scaleb(DIGITS[currency], _EXACT)",
        "scaled = Decimal(float(value) * 10 ** DIGITS[currency])",
    ),
    _edge(
        _MONEY,
        "every currency has two digits",
        _AMOUNTS,
        "scaled = value.scaleb(DIGITS[currency], _EXACT)",
        "scaled = value.scaleb(2, _EXACT)",
    ),
    _edge(
        _MONEY,
        "a sum of amounts wraps around",
        "streams.core.funnels.windows",
        "n = GREATEST if n > 0 else LEAST",
        "n = (n - LEAST) % 2**64 + LEAST",
    ),
    _edge(
        "tests/core/processing/test_dead_letters.py",
        "a dead letter has what was read, and not what came",
        "streams.core.processing.dead_letters",
        "(record.original if isinstance(record, DecodedRecord) else record.value)",
        "record.value",
    ),
    _edge(
        f"{_REGISTRY}/test_avro.py",
        "a message in Avro may be followed by anything",
        "streams.log.kafka.registry.avro",
        "if (left := len(body) - stream.tell()) > 0:",
        "if (left := len(body) - stream.tell()) < 0:",
    ),
    _edge(
        f"{_REGISTRY}/test_avro.py",
        "an array in Avro may have members without bytes",
        "streams.log.kafka.registry.avro_shape",
        'if node == "null" and is_repeated:',
        "if False:",
    ),
    _edge(
        f"{_REGISTRY}/test_protobuf.py",
        "a message in Protobuf is read in any order of its maps",
        "streams.log.kafka.registry.protobuf",
        ', order="deterministic"',
        "",
    ),
    _edge(
        f"{_REGISTRY}/test_decoding.py",
        "a registry that does not answer has no schema",
        "streams.log.kafka.registry.decoding",
        "failure = answer\n                    left.append(key)",
        "missing[key] = NoSchema(str(answer))",
    ),
    _edge(
        f"{_REGISTRY}/test_decoding.py",
        "an unknown schema is asked for once",
        "streams.log.kafka.registry.decoding",
        "later, missing = await self._ask(missing.keys())",
        "later = dict[SchemaKey, ReadMessage]()",
    ),
    _edge(
        _OTHER_RULES,
        "other rules count what came too late",
        "streams.queries.rules_comparison",
        "return not is_late",
        "return True",
    ),
    _edge(
        _OTHER_RULES,
        "other rules read what was forwarded once more",
        "streams.queries.rules_comparison",
        "if isinstance(decode_message(record.value), Redriven):",
        "if True:",
    ),
)
