"""What docs/journeys.md says about a finished history, by brute force: the judge of
everything that computes it step by step.

It looks at a whole history at once and cuts it up: into purchases and the truths that join them, then into
journeys as lists of signals, then into steps. It is slow, keeps nothing, and imports nothing of the program.

All times are whole milliseconds of event time. Lateness, caps and forgetting are not here:
whoever asks leaves out what was judged late, and what is counted apart.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import NamedTuple

KNOW, GO, DO, BUY, TRUTH, REFUND = range(6)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
UNTIMED, OLD_ORDER = 1, 2  # updates of orders
EVERYTHING = ("*",)  # the needs of a refund that is a signal in all of them
NO_TIMER = -1  # the timer position before any deadline has fired
PLACES = 1_000  # of a profile, for its needs: the nameless one always has one
MATCHED = 64  # cues of a journey, the first ones
REMEMBERED = 64  # conversions of a need that can still be joined or refunded, as the page says
MONDAY = 3 * DAY  # 1 January 1970 was a Thursday
QUARTER = 15 * MINUTE  # the unit of a signal's offset


GIVEN = "~"  # begins the name of what a device gave: behind all other ids of these tests


class Money(NamedTuple):
    """What a truth or a refund says of money: minor units; a currency by its number.

    `shares`: of an event about several needs the amount and the pieces of each, by the need's name.
    """

    amount: int | None
    currency: int = -1
    items: int = 0
    server: bool = False
    shares: tuple[tuple[str, int | None, int], ...] = ()

    def of(self, need: str) -> "Money":
        """What of it is this need's."""
        for name, amount, items in self.shares:
            if name == need:
                return self._replace(amount=amount, items=items, shares=())
        return self


class Signal(NamedTuple):
    """What one event says about intent.

    `needs` is never empty; `("",)` is the nameless need. `offset` is in quarter hours. `update`: UNTIMED or
    OLD_ORDER of a truth that tells of a change to an order; 0: it does not.
    """

    at: int
    event: str
    mark: int
    sure: bool
    dims: int
    offset: int
    rule: int
    needs: tuple[str, ...]
    order: str | None
    update: int = 0
    cue: int = 0  # 0: none
    money: Money | None = None


class Cue(NamedTuple):
    """Something that happened inside a moment. Unmatched: without a journey, a moment and its opening."""

    need: str
    at: int
    event: str
    cue: int
    journey: str | None
    moment: int | None
    opened_at: int | None
    dims: int


class Patience(NamedTuple):
    """How long silence may last before it means something, and how far
    back purchases are looked for; milliseconds.
    """

    # In know, go, do, buy; each shorter than `abandon`.
    stall: tuple[int, int, int, int] = (
        3 * DAY,
        4 * HOUR,
        24 * HOUR,
        HOUR,
    )
    abandon: int = 30 * DAY
    refund: int = 90 * DAY
    join: int = 30 * MINUTE
    grace: int = 5 * MINUTE


DEFAULTS = Patience()


class Step(NamedTuple):
    """One transition.

    `event` is what its id is made of: for stalled the last sign of life, for abandoned the opening event.
    """

    kind: str
    need: str
    at: int
    event: str
    journey: str
    from_: int | None
    to: int | None
    skipped: tuple[int, ...]
    dwell_ms: int | None
    opened_at: int
    furthest_before: int | None
    furthest: int
    first_entry: bool
    dims: int
    opened_dims: int
    offset: int
    rule: int | None
    value: int | None = None  # of converted; of a refund: what it gives back
    currency: int = -1
    pieces: int = 0  # of converted
    stitched: bool = False  # of converted: a device gave a sign of life of the journey


class Unmatched(NamedTuple):
    """A refund that found no purchase, or an update of an order that nobody knows.

    A refund with an order id belongs to all needs and is listed under the nameless one.
    """

    need: str
    at: int
    event: str
    dims: int
    update: bool = False


class Journey(NamedTuple):
    """How a journey stands.

    `outcome`: open, converted or abandoned. `stalled` is only ever true of an open one.
    """

    need: str
    journey: str
    opened_at: int
    closed_at: int | None
    outcome: str
    stalled: bool
    refunded: bool
    furthest: int
    been_in: frozenset[int]
    opened_dims: int


# The set: copies and order


def _copy_key(s: Signal) -> tuple[object, ...]:
    return (
        s.at,
        s.mark,
        s.sure,
        s.dims,
        s.offset,
        s.rule,
        s.cue,
        (s.order is not None, s.order or ""),
        s.update,
        _money_key(s.money),
        (len(s.needs), sorted(s.needs)),
    )


def _money_key(money: Money | None) -> tuple[object, ...]:
    if money is None:
        return (0,)
    shares = [(need, -1 if amount is None else amount, items) for need, amount, items in money.shares]
    return 1, -1 if money.amount is None else money.amount, *money[1:4], shares


def history(signals: Sequence[Signal]) -> list[Signal]:
    """The set of events as an ordered list: of all copies of an event the
    smallest, then by (at, mark, sure, dims, event).
    """
    copies = groupby(sorted(signals, key=lambda s: s.event), key=lambda s: s.event)
    smallest = [min(same, key=_copy_key) for _, same in copies]
    return sorted(smallest, key=lambda s: (s.at, s.mark, s.sure, s.dims, s.event))


def as_taken(s: Signal) -> Signal:
    """The signal in the needs that it is about: a refund of an order that lists no products, or whose
    products name no need, is about all of them. One whose needs find no place lists products as before.
    """
    lists_needs = s.money is not None and s.money.items > 0 and s.needs != ("",)
    if s.mark == REFUND and s.order is not None and not lists_needs:
        return s._replace(needs=EVERYTHING)
    return s


def everywhere(s: Signal) -> bool:
    """True for a refund of an order that does not say which needs it is about."""
    return s.needs == EVERYTHING


def _when(s: Signal) -> tuple[object, ...]:
    """The place of a signal in the history of its profile."""
    return s.at, s.mark, s.sure, s.dims, s.event


Lines = dict[str, list[Signal]]
"""The history of each need."""


def _lines(signals: Sequence[Signal], patience: Patience) -> tuple[Lines, list[Unmatched]]:
    """The history of each need, and the updates that found nothing. A refund of an order is in all needs.

    An update stands there as the truth that it amounts to, or as a signal that says nothing.
    """
    events = history(signals)
    lines: Lines = {need: [] for s in events if not everywhere(s) for need in s.needs}
    lines.setdefault("", [])
    nothing: list[Unmatched] = []
    for s in events:
        read = {need: s for need in sorted(lines) if everywhere(s) or need in s.needs}
        if s.update and s.sure:
            read = {need: _as_truth(s, need, lines, patience) for need in read}
            nothing += [
                Unmatched(need, s.at, s.event, s.dims, True) for need, t in read.items() if not t.sure
            ]
        for need, as_read in read.items():
            lines[need].append(as_read)
    return {need: lines[need] for need in sorted(lines)}, nothing


def _as_truth(s: Signal, need: str, before: Lines, patience: Patience) -> Signal:
    """An update in one of its needs: a truth where it joins a purchase, or where a journey is in buy and
    the order is not an old one; else a signal without any effect, as an unsure refund is.
    """
    conversions = _conversions(need, [*before[need], s], patience)
    joins = all(c.truth.event != s.event for c in conversions)
    if joins or (s.update != OLD_ORDER and _in_buy(s, need, before, patience)):
        return s
    return s._replace(mark=REFUND, sure=False)


def _in_buy(s: Signal, need: str, before: Lines, patience: Patience) -> bool:
    """Whether a journey about the need is open then, and in buy."""
    cut = _cut(need, before, patience)
    if not cut or _bought(cut[-1]) or s.at - cut[-1][-1].at > patience.abandon:
        return False
    return [sign.mark for sign in cut[-1] if sign.sure][-1] == BUY


# Purchases: truths that found a conversion, truths that join one, refunds that take back some of one, or all


class _Giving(NamedTuple):
    """What one refund gives back of one conversion. The one that gives back all is the last."""

    refund: Signal
    amount: int | None
    pieces: int
    all: bool


@dataclass(eq=False)
class _Conversion:
    need: str
    truth: Signal  # the first one: it names the conversion, and joining is measured from it
    order: str | None
    named: Signal  # the truth that brought the order id: nobody knew it before
    joiners: list[Signal] = field(default_factory=list)
    given: list[_Giving] = field(default_factory=list)

    @property
    def refunded(self) -> bool:
        return any(giving.all for giving in self.given)

    def money(self, patience: Patience, until: Signal | None = None) -> Money:
        """Its amount, currency and pieces: `until`: as told before this refund."""
        first_back = self.given[0].refund if self.given else until
        truths = [self.truth, *(j for j in self.joiners if j.at - self.truth.at <= patience.join)]
        told = [
            truth.money.of(self.need)
            for truth in truths
            if truth.money and truth.money.of(self.need).amount is not None
            if first_back is None or _when(truth) < _when(first_back)
        ]
        told = [money for money in told if money.server] + told
        if told:
            return told[0]
        own = self.truth.money.of(self.need) if self.truth.money else Money(None)
        return Money(None, -1, own.items)

    def left(self, patience: Patience, refund: Signal) -> Money:
        """What is left of it before this refund."""
        money, back = self.money(patience, refund), self.given
        amount = None if money.amount is None else money.amount - sum(g.amount or 0 for g in back)
        return money._replace(amount=amount, items=max(0, money.items - sum(g.pieces for g in back)))


def _conversions(need: str, line: Sequence[Signal], patience: Patience) -> list[_Conversion]:
    """The conversions of a need with their joiners.

    No journey is looked at: every sure truth joins a conversion or is one.
    """
    found: list[_Conversion] = []
    for truth in line:
        if truth.mark != TRUTH or not truth.sure:
            continue
        held = found[-REMEMBERED:]
        same = [
            c
            for c in held
            if c.order is not None and c.order == truth.order and truth.at - c.truth.at <= patience.refund
        ]
        near = [
            c
            for c in held
            if (c.order is None or truth.order is None) and truth.at - c.truth.at <= patience.join
        ]
        if not same and not near:
            found.append(_Conversion(need, truth, truth.order, truth))
            continue
        joined = (same or near)[-1]
        joined.joiners.append(truth)
        if joined.order is None and truth.order is not None:
            joined.order, joined.named = truth.order, truth
    return found


def _about(refund: Signal, conversions: Sequence[_Conversion], patience: Patience) -> _Conversion | None:
    """The conversion of a need that a refund is about."""
    before = [c for c in conversions if _when(c.truth) < _when(refund)][-REMEMBERED:]
    free = [c for c in before if not c.refunded and refund.at - c.truth.at <= patience.refund]
    if refund.order is not None:
        free = [c for c in free if c.order == refund.order and _when(c.named) < _when(refund)]
    return free[-1] if free else None


def _give_back(refund: Signal, about: Sequence[_Conversion], money: Money, patience: Patience) -> None:
    """Gives the conversions, which are in the order of their needs' names, what a refund gives back."""
    left = {id(c): c.left(patience, refund) for c in about}
    same = [
        c
        for c in about
        if money.amount is not None
        and left[id(c)].amount is not None
        and left[id(c)].currency == money.currency
    ]
    if same:
        rest = money.amount or 0
        if rest < sum(left[id(c)].amount or 0 for c in same):
            pieces = money.items
            for c in same:
                part = min(rest, left[id(c)].amount or 0)
                if part:
                    taken = part == left[id(c)].amount
                    c.given.append(_Giving(refund, part, pieces, taken))
                    rest, pieces = rest - part, 0
            return
    elif money.items and (
        (not any(left[id(c)].items for c in about) and not any(_listed(c, patience, refund) for c in about))
        or money.items < sum(left[id(c)].items for c in about)
    ):
        about[0].given.append(_Giving(refund, None, money.items, False))
        return
    for c in about:
        c.given.append(_Giving(refund, left[id(c)].amount, 0, True))


def _listed(c: _Conversion, patience: Patience, refund: Signal) -> bool:
    return c.money(patience, refund).items > 0


def _refund(
    lines: dict[str, list[Signal]], conversions: dict[str, list[_Conversion]], patience: Patience
) -> list[tuple[str, Signal]]:
    """Gives the conversions their refunds; returns the sure refunds that found none, with their needs."""
    unmatched = []
    events = {s.event: s for line in lines.values() for s in line if s.mark == REFUND and s.sure}
    for refund in sorted(events.values(), key=_when):
        money, found = refund.money or Money(None), []
        for need, line in lines.items():
            if refund not in line:
                continue
            about = _about(refund, conversions[need], patience)
            if about is None:
                if not everywhere(refund):
                    unmatched.append((need, refund))
            elif everywhere(refund):
                found.append(about)
            else:
                _give_back(refund, [about], money.of(need), patience)
        if found:
            _give_back(refund, found, money, patience)
        elif everywhere(refund):
            unmatched.append(("", refund))
    return unmatched


# Journeys: lists of signs of life


def _cut(need: str, lines: Lines, patience: Patience) -> list[list[Signal]]:
    """Each journey about a need as the list of its signs of life: from a sure signal to a
    purchase, or to a silence longer than patience.
    """
    line = lines[need]
    joiners = {j.event for c in _conversions(need, line, patience) for j in c.joiners}
    cut: list[list[Signal]] = []
    for s in line:
        if s.mark == REFUND or s.event in joiners:
            continue
        going_on = cut and not _bought(cut[-1]) and s.at - cut[-1][-1].at <= patience.abandon
        if going_on:
            cut[-1].append(s)
        elif s.sure and not (s.mark == BUY and _in_grace(s, need, lines, patience)):
            cut.append([s])
    return cut


def _in_grace(s: Signal, need: str, lines: Lines, patience: Patience) -> bool:
    """Whether a buy signal is the rest of a purchase of its need, or of any, where it names none."""
    for other in lines if need == "" else [need]:
        before = [t for t in lines[other] if _when(t) < _when(s)]
        for c in _conversions(other, before, patience)[-REMEMBERED:]:
            if s.at - c.truth.at <= patience.grace and (None in (s.order, c.order) or s.order == c.order):
                return True
    return False


def _bought(signs: Sequence[Signal]) -> bool:
    return signs[-1].mark == TRUTH and signs[-1].sure


@dataclass
class _Reading:
    """One journey: its signs of life, and how it ended if it did."""

    need: str
    signs: list[Signal]
    conversion: _Conversion | None
    stalled_at: int | None  # by its last sign of life; a silence that was broken is seen between two signs
    abandoned_at: int | None

    def after(self, n: int) -> tuple[int, int]:
        """The moment, and the furthest moment, after the first n signs."""
        marks = [s.mark for s in self.signs[:n] if s.sure]
        return marks[-1], max(marks)


def _read(
    signals: Sequence[Signal], timer: int, patience: Patience
) -> tuple[list[_Reading], list[Unmatched]]:
    """All journeys of a profile by need and time, and its unmatched refunds and updates."""
    readings: list[_Reading] = []
    lines, updates = _lines(signals, patience)
    conversions_of = {need: _conversions(need, line, patience) for need, line in lines.items()}
    unmatched = {
        Unmatched(need, r.at, r.event, r.dims) for need, r in _refund(lines, conversions_of, patience)
    }
    for need, line in lines.items():
        conversions = conversions_of[need]
        by_truth = {c.truth.event: c for c in conversions}

        for signs in _cut(need, lines, patience):
            if _bought(signs):
                readings.append(_Reading(need, signs, by_truth[signs[-1].event], None, None))
                continue
            moment = [s.mark for s in signs if s.sure][-1]
            deadlines = signs[-1].at + patience.stall[moment], signs[-1].at + patience.abandon
            stalled_at, abandoned_at = (at if at < line[-1].at or at <= timer else None for at in deadlines)
            readings.append(_Reading(need, signs, None, stalled_at, abandoned_at))
    return readings, sorted([*unmatched, *updates])


# Steps


def _step(
    j: _Reading,
    kind: str,
    by: Signal,
    from_: int | None,
    to: int | None,
    furthest: tuple[int | None, int],
    dwell_ms: int | None = None,
    first_entry: bool = False,
) -> Step:
    """A step that a signal causes. `furthest`: before and after."""
    skipped = (
        tuple(range(from_ + 1, to))
        if kind in ("advanced", "converted") and from_ is not None and to is not None
        else ()
    )
    opening = j.signs[0]
    return Step(
        kind,
        j.need,
        by.at,
        by.event,
        opening.event,
        from_,
        to,
        skipped,
        dwell_ms,
        opening.at,
        *furthest,
        first_entry,
        by.dims,
        opening.dims,
        by.offset,
        by.rule,
    )


def _silent(step: Step, at: int, j: _Reading) -> Step:
    """The step as silence causes it: at a deadline, and told with what is known of the opening."""
    return step._replace(at=at, dims=j.signs[0].dims, offset=j.signs[0].offset, rule=None)


def _worth(step: Step, amount: int | None, currency: int) -> Step:
    """The step with an amount, if one is known."""
    return step if amount is None else step._replace(value=amount, currency=currency)


def _steps(j: _Reading, patience: Patience) -> Iterator[Step]:
    """All transitions of one journey, in no particular order."""
    for step in _moves(j):
        if step.kind == "converted":
            assert j.conversion is not None
            money = j.conversion.money(patience)
            stitched = any(s.event.startswith(GIVEN) for s in j.signs)
            step = step._replace(pieces=money.items, stitched=stitched)
            yield _worth(step, money.amount, money.currency)
        else:
            yield step
    for giving in j.conversion.given if j.conversion else ():
        kind = "refunded" if giving.all else "partially_refunded"
        step = _step(j, kind, giving.refund, TRUTH, None, (TRUTH, TRUTH))
        assert j.conversion is not None
        yield _worth(step, giving.amount, j.conversion.money(patience).currency)
    yield from _silences(j, patience)


def _moves(j: _Reading) -> Iterator[Step]:
    """The steps of a journey that enter a moment."""
    opening = j.signs[0]
    yield _step(j, "opened", opening, None, opening.mark, (None, opening.mark), first_entry=True)
    if opening.mark == TRUTH:
        yield _step(j, "converted", opening, None, TRUTH, (TRUTH, TRUTH))

    entries = [next(stay) for _, stay in groupby([s for s in j.signs if s.sure], key=lambda s: s.mark)]
    for n, (left, entered) in enumerate(pairwise(entries), 1):
        kind = (
            "converted" if entered.mark == TRUTH else "advanced" if entered.mark > left.mark else "returned"
        )
        before = max(e.mark for e in entries[:n])
        yield _step(
            j,
            kind,
            entered,
            left.mark,
            entered.mark,
            (before, max(before, entered.mark)),
            entered.at - left.at,
            all(entered.mark != e.mark for e in entries[:n]),
        )


def _silences(j: _Reading, patience: Patience) -> Iterator[Step]:
    """What silence does in a journey, and what breaks it."""
    opening, last = j.signs[0], j.signs[-1]
    entries = [next(stay) for _, stay in groupby([s for s in j.signs if s.sure], key=lambda s: s.mark)]
    for n, (sign, following) in enumerate(pairwise(j.signs), 1):
        moment, furthest = j.after(n)
        deadline = sign.at + patience.stall[moment]
        if deadline < following.at:
            yield _silent(_step(j, "stalled", sign, moment, moment, (furthest, furthest)), deadline, j)
            yield _step(j, "resumed", following, moment, moment, (furthest, furthest))

    moment, furthest = j.after(len(j.signs))
    if j.stalled_at is not None:
        yield _silent(_step(j, "stalled", last, moment, moment, (furthest, furthest)), j.stalled_at, j)
    if j.abandoned_at is not None:
        yield _silent(
            _step(j, "abandoned", opening, moment, None, (furthest, furthest), last.at - entries[-1].at),
            j.abandoned_at,
            j,
        )


# What others ask


def knows(
    signals: Sequence[Signal], needs: Sequence[str], order: str | None, at: int, patience: Patience = DEFAULTS
) -> bool:
    """Whether one of these needs has a purchase with this order id at most the refund window before."""
    lines, _ = _lines(signals, patience)
    return order is not None and any(
        c.order == order and 0 <= at - c.truth.at <= patience.refund
        for need in needs
        for c in _conversions(need, lines.get(need, []), patience)
    )


def transitions(
    signals: Sequence[Signal], timer: int = NO_TIMER, patience: Patience = DEFAULTS
) -> list[Step]:
    """All transitions of one profile that stand true when the timer position
    is `timer`: by need, then in time order.

    Of one time: first what signals cause, in the order of the history, then what silence causes. Of one
    signal: resumed, then opened, then the move.
    """
    place = {s.event: n for n, s in enumerate(history(signals))}
    silence = ("stalled", "abandoned")

    def order(s: Step) -> tuple[str, int, bool, int, int]:
        return s.need, s.at, s.kind in silence, place[s.event], {"resumed": 0, "opened": 1}.get(s.kind, 2)

    readings, _ = _read(signals, timer, patience)
    return sorted((step for j in readings for step in _steps(j, patience)), key=order)


def unmatched(
    signals: Sequence[Signal], timer: int = NO_TIMER, patience: Patience = DEFAULTS
) -> list[Unmatched]:
    """The sure refunds of one profile that found no purchase, and the sure updates that did not, sorted.

    The timer position has no say in it.
    """
    return _read(signals, timer, patience)[1]


def journeys(
    signals: Sequence[Signal], timer: int = NO_TIMER, patience: Patience = DEFAULTS
) -> list[Journey]:
    """All journeys of one profile, by need, then in time order."""
    told = []
    for j in _read(signals, timer, patience)[0]:
        opening, furthest = j.signs[0], j.after(len(j.signs))[1]
        outcome = "converted" if j.conversion else "open" if j.abandoned_at is None else "abandoned"
        closed_at = j.conversion.truth.at if j.conversion else j.abandoned_at
        stalled = outcome == "open" and j.stalled_at is not None
        refunded = j.conversion is not None and j.conversion.refunded
        told.append(
            Journey(
                j.need,
                opening.event,
                opening.at,
                closed_at,
                outcome,
                stalled,
                refunded,
                furthest,
                frozenset(s.mark for s in j.signs if s.sure),
                opening.dims,
            )
        )
    return told


class UnderWay(NamedTuple):
    """A journey that is under way."""

    moment: int
    opened_dims: int
    stalled: bool
    last_sign_at: int


def under_way(
    signals: Sequence[Signal], timer: int = NO_TIMER, patience: Patience = DEFAULTS
) -> list[UnderWay]:
    """The journeys of one profile that are neither converted nor abandoned."""
    return [
        UnderWay(j.after(len(j.signs))[0], j.signs[0].dims, j.stalled_at is not None, j.signs[-1].at)
        for j in _read(signals, timer, patience)[0]
        if j.conversion is None and j.abandoned_at is None
    ]


def final_until(
    signals: Sequence[Signal], needs: Sequence[str], before: int, patience: Patience = DEFAULTS
) -> int:
    """The latest closing or refund of the journeys of these needs that is final before this time; -1 if there
    is none. Of a purchase it is the end of its join window.

    A redriven event that is not later would change what is final.
    """
    closing = ("converted", "abandoned", "partially_refunded", "refunded")
    ends = [
        s.at + (patience.join if s.kind == "converted" else 0)
        for s in transitions(signals, before - 1, patience)
        if s.kind in closing and (s.need in needs or "*" in needs)
    ]
    return max([end for end in ends if end < before], default=-1)


def changes_final(
    s: Signal, held: Sequence[Signal], past: Sequence[Signal], before: int, patience: Patience = DEFAULTS
) -> bool:
    """Whether a redriven event that is no copy would change what is final, as far as the base has no say.

    `held`: the events of its person now; `past`: those as the first item was redriven, since when no more
    of them becomes final; what was closed before the time `before` was final then.
    """

    def until(*needs: str) -> int:
        return final_until(past, needs, before, patience)

    if s.at <= until(*s.needs):
        return True
    if any(e.event == s.event and history([e, s])[0] == s and e.at <= until(*e.needs) for e in held):
        return True  # it would take the place of that copy
    bought = [s.at] if s.mark == TRUTH and s.sure else []
    # An untimed update may become a purchase with an event before it.
    bought += [e.at for e in held if e.update == UNTIMED and e.sure and e.at >= s.at]
    nameless, anywhere = until(""), until("*")
    return any(
        (e.mark == BUY and "" in e.needs and at < e.at <= min(nameless, at + patience.grace))
        or (e.mark == REFUND and "*" in e.needs and at <= e.at <= anywhere)
        for e in held
        for at in bought
    )


def left_out(
    signals: Sequence[Signal], names: Sequence[str], oldest: int, patience: Patience = DEFAULTS
) -> tuple[str, ...]:
    """The needs of the next event, which names these, for which a profile has no place.

    `oldest`: events before this are late.
    """
    holding = {"", *holders(signals, oldest, patience)}
    new = sorted(set(names) - holding)
    return tuple(new[max(0, PLACES - len(holding)) :])


def shown(signals: Sequence[Signal], timer: int, patience: Patience = DEFAULTS) -> set[str]:
    """The needs of a profile that its `current` record shows."""
    told = journeys(signals, timer, patience)
    had = {j.need for j in told}
    return had if len(had) <= PLACES else {j.need for j in told if j.outcome == "open"}


def holders(signals: Sequence[Signal], oldest: int, patience: Patience = DEFAULTS) -> set[str]:
    """The needs of a profile that hold a place: something of them is open, or can still be changed."""
    found = set()
    for j in _read(signals, NO_TIMER, patience)[0]:
        last = j.signs[-1].at
        until = last + (max(patience.refund, patience.join) if j.conversion else patience.abandon)
        if until >= oldest:
            found.add(j.need)
    return found


Profiles = Mapping[str, Sequence[Signal]]


def _window(at: int, window_ms: int) -> int:
    return at - at % window_ms


def funnel(
    profiles: Profiles, timer: int, patience: Patience, window_ms: int
) -> Counter[tuple[int, int, str, int]]:
    """Cohorts: (start of the window opened in, furthest so far, outcome, opening dims).

    A stalled journey counts as open too, a refunded one as converted too.
    """
    cells: Counter[tuple[int, int, str, int]] = Counter()
    for signals in profiles.values():
        for j in journeys(signals, timer, patience):
            for outcome in [
                j.outcome,
                *(["stalled"] if j.stalled else []),
                *(["refunded"] if j.refunded else []),
            ]:
                cells[_window(j.opened_at, window_ms), j.furthest, outcome, j.opened_dims] += 1
    return cells


def been_in(
    profiles: Profiles, timer: int, patience: Patience, window_ms: int
) -> Counter[tuple[int, int, int]]:
    """How many journeys have been in each moment: (start of the window opened in, moment, opening dims)."""
    return Counter(
        (_window(j.opened_at, window_ms), moment, j.opened_dims)
        for signals in profiles.values()
        for j in journeys(signals, timer, patience)
        for moment in j.been_in
    )


def cues(signals: Sequence[Signal], patience: Patience = DEFAULTS) -> list[Cue]:
    """All cues of one profile, matched and unmatched, by need, then in the order of the history.

    The timer position has no say in it: it closes no journey that a signal would still find open.
    """
    matched = {}
    for j in _read(signals, NO_TIMER, patience)[0]:
        for n, s in [(n, s) for n, s in enumerate(j.signs, 1) if s.cue][:MATCHED]:
            matched[j.need, s.event] = j, j.after(n)[0]
    found = []
    with_cue = [s for s in history(signals) if s.cue and s.mark != REFUND]
    for need in sorted({need for s in with_cue for need in s.needs}):
        for s in with_cue:
            if need not in s.needs:
                continue
            cue = Cue(need, s.at, s.event, s.cue, None, None, None, s.dims)
            if (need, s.event) in matched:
                j, moment = matched[need, s.event]
                cue = cue._replace(journey=j.signs[0].event, moment=moment, opened_at=j.signs[0].at)
            found.append(cue)
    return found


def cue_counts(
    profiles: Profiles, patience: Patience, window_ms: int
) -> Counter[tuple[int, int, int | None, int]]:
    """Cues: (window start, cue, moment; none of an unmatched one, dims)."""
    return Counter(
        (_window(c.at, window_ms), c.cue, c.moment, c.dims)
        for signals in profiles.values()
        for c in cues(signals, patience)
    )


def _all(profiles: Profiles, timer: int, patience: Patience) -> list[Step]:
    return [step for signals in profiles.values() for step in transitions(signals, timer, patience)]


def moves(
    profiles: Profiles, timer: int, patience: Patience, window_ms: int
) -> Counter[tuple[int, str, int | None, int | None, int]]:
    """Transitions of every kind: (window start, kind, from, to, dims).

    What is unmatched is no transition: see `unmatched_signals`.
    """
    return Counter(
        (_window(s.at, window_ms), s.kind, s.from_, s.to, s.dims) for s in _all(profiles, timer, patience)
    )


def revenue(
    profiles: Profiles, timer: int, patience: Patience, window_ms: int
) -> Counter[tuple[int, str, int | None, int, int]]:
    """Amounts, by (window start, kind, moment left, currency, dims); what is given back is below zero."""
    cells: Counter[tuple[int, str, int | None, int, int]] = Counter()
    for s in _all(profiles, timer, patience):
        if s.value is not None:
            sign = 1 if s.kind == "converted" else -1
            cells[_window(s.at, window_ms), s.kind, s.from_, s.currency, s.dims] += sign * s.value
    return cells


def unmatched_signals(
    profiles: Profiles, patience: Patience, window_ms: int
) -> Counter[tuple[int, int, bool]]:
    """Refunds and updates that found nothing: (window start, dims, whether it is an update)."""
    return Counter(
        (_window(r.at, window_ms), r.dims, r.update)
        for signals in profiles.values()
        for r in unmatched(signals, NO_TIMER, patience)
    )


def dwells(
    profiles: Profiles, timer: int, patience: Patience, window_ms: int
) -> Counter[tuple[int, int | None, int, int]]:
    """Stays in a moment by their length, where the step stands that ended them:
    (window start, moment left, dwell ms, dims).
    """
    steps = _all(profiles, timer, patience)
    return Counter(
        (_window(s.at, window_ms), s.from_, s.dwell_ms, s.dims) for s in steps if s.dwell_ms is not None
    )


def times_to_convert(
    profiles: Profiles, timer: int, patience: Patience, window_ms: int
) -> Counter[tuple[int, int, int]]:
    """Purchases of journeys that were under way: (window start of the opening, ms from the opening to the
    purchase, dims of the opening).
    """
    bought = [s for s in _all(profiles, timer, patience) if s.kind == "converted" and s.from_ is not None]
    return Counter((_window(s.opened_at, window_ms), s.at - s.opened_at, s.opened_dims) for s in bought)


def hours(profiles: Profiles, timer: int, patience: Patience) -> Counter[tuple[int, int | None, int]]:
    """Moments entered by hour of the person's own week: (0..167 with Monday 00:00 = 0, moment, dims)."""
    entering = ("opened", "advanced", "returned", "converted")
    steps = [s for s in _all(profiles, timer, patience) if s.kind in entering]
    return Counter(((s.at + s.offset * QUARTER + MONDAY) // HOUR % 168, s.to, s.dims) for s in steps)


# Time


def end_of_replay(times: Sequence[tuple[str, int]]) -> int:
    """Where time ends in a finite input of these events, each a person and a time."""
    by_person: dict[str, int] = {}
    for person, at in times:
        by_person[person] = max(at, by_person.get(person, at))
    newest = sorted(by_person.values())
    return newest[-1] if len(newest) < 20 else newest[-3]
