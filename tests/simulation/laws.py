"""What must be true of the output, whatever happened on the way: each
law is a function that says what breaks it.

They see the committed topics as a consumer does, and what `account` and the oracle make of the stored input.
docs/testing.md tells which planted bug each of them catches.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from streams.core.journeys import profile as profiles
from streams.core.moments.verdict import RuleInfo
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.committed import Committed
from streams.core.processing.inbox import Forwarded, LinkMessage, Redriven, WatermarkReport
from streams.records import Record
from streams.topology import source_name, split_source
from tests import oracle
from tests.simulation.account import Account, owner_of, person
from tests.simulation.linked import Moves
from tests.simulation.redrives import Key, Moved
from tests.simulation.repeats import Repeats, repeats_of_step
from tests.simulation.wire import (
    CONTENT,
    REFUNDS,
    cohort_cells,
    content,
    cue_cells,
    cue_record,
    current,
    figures,
    final,
    frozen,
    refund_record,
    revenue_cells,
    step_cells,
    wire,
)

MINUTE = 60_000
KEPT_MIN = {
    "minute": (1, 3 * 1440),
    "hour": (60, 40 * 1440),
    "day": (1440, 400 * 1440),
}  # length, and how long a window is kept
COUNTERS_OF_EACH = 4  # of so many receipts the counters of one are computed again: it takes long
ENDINGS = ("applied", "refused", "robot", "no_signal", "duplicate", "late", "rejected")


class Sent(NamedTuple):
    """What a partition has put into the inboxes of others."""

    # Each with how far the partition had come in its own inputs, and in all.
    reports: list[tuple[WatermarkReport, tuple[int, int]]]
    forwarded: list[tuple[int, Forwarded]]  # to which partition
    redriven: list[tuple[int, Redriven]]  # likewise
    links: list[tuple[int, LinkMessage]]  # likewise


class Evidence:
    """One partition at one instant: what is committed, and what the oracle says of it."""

    def __init__(
        self,
        account: Account,
        checkpoint: Checkpoint,
        topics: Mapping[str, list[Any]],
        rules: list[tuple[RuleInfo, str]],
        names: Callable[[int], dict[str, str]],
        patience: oracle.Patience,
        allowed_lateness: int,
        mark: int,
        timers: tuple[int, int],
        eras: tuple[Mapping[str, list[str]], Mapping[str, list[str]]],
        everything: bool,
        place: tuple[int, int],
        keyed: list[tuple[str, bytes | None, str | None, str]],
        sourced: Sequence[tuple[dict[str, bytes], Any]] = (),
        events: Mapping[tuple[str, int], Sequence[Record]] | None = None,
        sent: Sent | None = None,
        seen: Committed | None = None,
        back: int = 0,
        moves: Moves | None = None,
        find_repeats: Callable[[], Repeats] | None = None,
    ) -> None:
        """`topics`: decoded values by name; of compacted ones too, of ledgers the offsets.

        `rules`: by code, with their version.

        `mark`: what the horizon mark must be; `timers`: the least and the greatest the timer
        position may be; `eras`: by source and offset, the version that read it, as recorded and in
        truth; `everything`: nothing is left to do; `seen`: the last step that
        observers heard of, if any.

        `place`: the partition, and how many there are; `keyed`: topic, key, tenant and profile of each
        record about a person; `sourced`: headers and value of each transition; `events`: all
        inputs, by topic and partition; `sent`: what the partition has sent to others. `back`: how far before
        a link events move; 0 with identity off. `moves`: what is known of links and what they move; None with
        identity off. `find_repeats`: which events may count more than once; None: the account says so.
        """
        self._find_repeats = find_repeats
        self.finality_delay, self.moves = allowed_lateness + back, moves
        self.sourced, self.events, self.sent = sourced, events or {}, sent or Sent([], [], [], [])
        self.place, self.keyed = place, keyed
        self.account, self.checkpoint, self.topics, self.names, self.patience = (
            account,
            checkpoint,
            topics,
            names,
            patience,
        )
        self.rules = rules
        self.seen = seen
        self.allowed_lateness, self.mark, self.timers, self.eras, self.everything = (
            allowed_lateness,
            mark,
            timers,
            eras,
            everything,
        )

    @cached_property
    def repeats(self) -> Repeats:
        """Which events may count more than once."""
        if self._find_repeats is not None:
            return self._find_repeats()
        return {name: n - 1 for name, n in self.account.again.items() if n > 1}

    def owner(self, device: Key) -> str | None:
        """Whose a device is, by its newest link; None: nobody's, or identity is off."""
        return None if self.moves is None else self.moves.told.owners.get(device)

    def stored(self, source: str, offset: int) -> bytes | None:
        """The value of a record of an input; None if there is none."""
        return next((r.value for r in self.events.get(split_source(source), ())[offset : offset + 1]), None)

    @cached_property
    def lives(self) -> dict[Key, list[list[oracle.Signal]]]:
        """By person, their events: those that were forgotten before an item was redriven, and the others."""
        return self.account.redriven.lives(self.account.signals)

    @cached_property
    def steps(self) -> dict[Key, list[oracle.Step]]:
        return {
            key: [
                step
                for life in lives
                for step in oracle.transitions(life, self.checkpoint.timers_fired_ms, self.patience)
            ]
            for key, lives in self.lives.items()
        }

    @cached_property
    def journeys(self) -> dict[Key, list[oracle.Journey]]:
        return {
            key: [
                journey
                for life in lives
                for journey in oracle.journeys(life, self.checkpoint.timers_fired_ms, self.patience)
            ]
            for key, lives in self.lives.items()
        }

    @cached_property
    def held(self) -> dict[Key, list[oracle.Journey]]:
        """Journeys of the last life of everybody: what came before was forgotten."""
        return {
            key: oracle.journeys(signals, self.checkpoint.timers_fired_ms, self.patience)
            for key, signals in self.account.signals.items()
        }

    @cached_property
    def true_counters(self) -> Counter[Any]:
        """The oracle's count of every cell, expired windows included."""
        true: Counter[Any] = Counter()
        for lives in self.lives.values():
            for life in lives:
                self.count(true, life, self.checkpoint.timers_fired_ms, 1)
        return true

    def count(self, cells: Counter[Any], signals: list[oracle.Signal], timers: int, sign: int) -> None:
        """Adds what these signals of one person count for."""
        steps = oracle.transitions(signals, timers, self.patience)
        counted = [
            *[cell for s in steps for cell in step_cells(s, self.names)],
            *[
                cell
                for j in oracle.journeys(signals, timers, self.patience)
                for cell in cohort_cells(j, self.names)
            ],
            *[
                cell
                for u in oracle.unmatched(signals, timers, self.patience)
                for cell in step_cells(u, self.names)
            ],
            *[cell for c in oracle.cues(signals, self.patience) for cell in cue_cells(c, self.names)],
        ]
        for cell in counted:
            cells[cell] += sign
        for s in steps:
            for cell, amount in revenue_cells(s, self.names):
                cells[cell] += sign * amount

    @cached_property
    def cues(self) -> dict[Key, list[oracle.Cue]]:
        return {
            key: [cue for life in lives for cue in oracle.cues(life, self.patience)]
            for key, lives in self.lives.items()
        }

    def told(self, key: Key, journey: oracle.Journey) -> list[oracle.Step]:
        """The transitions of a journey in order, refunds included."""
        return [s for s in self.steps[key] if s.need == journey.need and s.journey == journey.journey]


def rev(e: Evidence) -> Iterator[str]:
    """The n-th transition record of a partition has rev n: none is missing, none was written twice."""
    revs = [t["rev"] for t in e.topics["transitions"]]
    if revs != list(range(1, len(revs) + 1)):
        n = next(n for n, r in enumerate(revs, 1) if r != n)
        yield f"transition record {n} has rev {revs[n - 1]}"
    elif e.checkpoint.rev != len(revs):
        yield f"the checkpoint has rev {e.checkpoint.rev}, and {len(revs)} records were written"


def once(e: Evidence) -> Iterator[str]:
    """At every prefix, each id is asserted or it is not; a retraction has the full content of what
    stands, and one id names one step for ever. A step can only be asserted while it stands where its very
    event counts again: the id came again when it was no longer known, or the event was redriven to somebody
    who was forgotten.
    """
    standing: dict[str, list[Any]] = {}
    about: dict[str, Any] = {}
    for t in e.topics["transitions"]:
        key, named = (t["tenant"], t["profile"]), (t["event"], t.get("device"))
        said, held = content(t), standing.setdefault(t["id"], [])
        cause = named if t["kind"] != "abandoned" else t["journey"]
        if about.setdefault(t["id"], (key, t["need"], t["kind"], cause)) != (
            key,
            t["need"],
            t["kind"],
            cause,
        ):
            yield f"id {t['id']} names two steps, the second at rev {t['rev']}"
        if t["op"] == "assert":
            held.append(said)
            if len(held) > 1 and len(held) > 1 + repeats_of_step(e.repeats, t):
                yield f"rev {t['rev']}: asserted while it stands: {t['kind']} of {t['profile']} at {t['at']}"
        elif said not in held:
            step = f"{t['kind']} of {t['profile']} at {t['at']}"
            yield f"rev {t['rev']}: retracted, and does not stand so: {step}"
        else:
            held.remove(said)


def standing(e: Evidence) -> Iterator[str]:
    """Asserts minus retracts are the oracle's transitions."""
    said: Counter[Any] = Counter()
    for t in e.topics["transitions"]:
        said[content(t)] += 1 if t["op"] == "assert" else -1
    true = Counter(content(wire(key, s, e.rules, e.names)) for key, steps in e.steps.items() for s in steps)
    for which, counts in (("published, and not so", said - true), ("not published", true - said)):
        for found in counts:
            yield f"{which}: {dict(zip(CONTENT, found, strict=True))}"


def cues(e: Evidence) -> Iterator[str]:
    """The n-th cue record of a partition has rev n, a retraction takes back what stands, and what stands are
    the oracle's matched cues.
    """
    revs = [c["rev"] for c in e.topics["cues"]]
    if revs != [*range(1, len(revs) + 1)] or len(revs) != e.checkpoint.cues:
        yield f"the revs of the cues are {revs}, and the checkpoint has {e.checkpoint.cues}"
    said: Counter[Any] = Counter()
    for c in e.topics["cues"]:
        found = frozen(
            {name: value for name, value in c.items() if name not in ("id", "rev", "op", "moved_from")}
        )
        said[found] += 1 if c["op"] == "assert" else -1
        if said[found] < 0:
            yield f"rev {c['rev']}: retracted, and does not stand so"
    true = Counter(
        frozen(cue_record(key, c, e.names)) for key, cues in e.cues.items() for c in cues if c.journey
    )
    for which, counts in (("published, and not so", said - true), ("not published", true - said)):
        for found in counts:
            yield f"cue {which}: {found}"


def tallies(e: Evidence) -> Iterator[str]:
    """Every counter of a window that is still kept is the oracle's count, and no other window has any."""
    yield from _differences(e, e.topics["tallies"])
    for cell, n in e.topics["tallies"]:
        if expired(cell, e.mark):
            yield f"{cell}: {n} is left of a window that is no longer kept"


def sinks(e: Evidence) -> Iterator[str]:
    """A table that upserts counters and takes no notice of tombstones is right in all windows that are kept,
    and each value comes with a greater `rev`.
    """
    yield from e.topics["stale"]
    yield from _differences(e, e.topics["sink"])


def _differences(e: Evidence, counters: list[tuple[Any, int]]) -> Iterator[str]:
    said = {cell: n for cell, n in counters if not expired(cell, e.mark)}
    for cell in {*said, *e.true_counters}:
        if not expired(cell, e.mark) and said.get(cell, 0) != e.true_counters[cell]:
            yield f"{cell}: {said.get(cell, 0)} published, {e.true_counters[cell]} by the oracle"


def business(e: Evidence) -> Iterator[str]:
    """The figures that observers get are a count of everybody's journeys.

    Of a worker that died between a commit and its observers nobody has heard: the step that was seen last is
    then of an earlier commit, with an earlier rev or, as unmatched cues are not published, fewer events.
    """
    if e.seen is None or (e.seen.rev, e.seen.totals) != (e.checkpoint.rev, e.checkpoint.counts):
        return
    said, true = msgspec.to_builtins(e.seen.journeys), figures(e.journeys, e.steps, e.cues)
    for name, n in true.items():
        if said[name] != n:
            yield f"{name}: {said[name]} in the figures, {n} by the oracle"


def expired(cell: Any, mark: int) -> bool:
    window: str = cell[0]
    start: int = cell[1]
    return window != "all" and start // MINUTE + sum(KEPT_MIN[window]) < mark // MINUTE


def endings(e: Evidence) -> Iterator[str]:
    """Every offset ends in exactly one way: the counts add up, and the
    ledgers hold the right offsets, each once.
    """
    counts = e.checkpoint.counts
    for name in ENDINGS:
        if getattr(counts, name) != e.account.counts[name]:
            yield f"{getattr(counts, name)} {name}, and {e.account.counts[name]} by the stored input"
    judged = sum(e.account.counts[name] for name in ENDINGS)
    if not counts.received == judged == sum(getattr(counts, name) for name in ENDINGS):
        yield f"{counts} does not add up to {judged} records"
    for source, read in e.eras[1].items():
        if (offset := e.checkpoint.sources[source].offset) != len(read):
            yield f"the checkpoint is at offset {offset} of {source}, and {len(read)} records were read"
    for name in ("late", "rejected"):
        if e.topics[name] != getattr(e.account, name):
            right = getattr(e.account, name)
            yield f"the {name} topic holds {e.topics[name]}, by the stored input they are {right}"
    ended = Counter(r["outcome"] for r in e.account.receipts.values() if r["outcome"] != "forwarded")
    if counts.redriven != ended:
        yield f"{counts.redriven} redriven, and {dict(ended)} by the stored input"
    if counts.unread_amounts != e.account.counts["unread_amounts"]:
        yield f"{counts.unread_amounts} unread amounts, and {e.account.counts['unread_amounts']} by the input"
    if counts.narrowed != e.account.counts["narrowed"]:
        yield f"{counts.narrowed} narrowed, and {e.account.counts['narrowed']} by the stored input"
    for origin, (said, true) in e.account.misplaced.items():
        yield f"{origin}: the needs {said} were left out, and there was no place for {true}"
    if e.account.unjust:
        yield f"{e.account.unjust} were called over_cap, and their profile is under its cap"


def marks(e: Evidence) -> Iterator[str]:
    """The horizon mark is the greatest time read; the timer position is where it must be, and never ahead."""
    if e.checkpoint.watermark_ms != e.mark:
        yield f"the horizon mark is {e.checkpoint.watermark_ms}, and the greatest time read is {e.mark}"
    least, most = e.timers
    if not least <= e.checkpoint.timers_fired_ms <= most:
        yield f"the timer position is {e.checkpoint.timers_fired_ms}, and must be within {least} .. {most}"


def versions(e: Evidence) -> Iterator[str]:
    """The recorded version of the rules is the one that read each record."""
    for source, true in e.eras[1].items():
        if (recorded := e.eras[0][source]) != true:
            n = next(n for n, (a, b) in enumerate(zip(recorded, true, strict=True)) if a != b)
            yield f"offset {n} of {source} was read with {true[n]}, and {recorded[n]} is recorded"


def forwards(e: Evidence) -> Iterator[str]:
    """Every event of somebody whom another partition owns is in that one's inbox, once and as it came."""
    if e.checkpoint.counts.forwarded != len(e.account.forwarded):
        yield f"{e.checkpoint.counts.forwarded} forwarded, and {len(e.account.forwarded)} by the stored input"
    said = Counter((owner, (item.source, item.offset)) for owner, item in e.sent.forwarded)
    true = Counter(e.account.forwarded)
    for which, found in (("forwarded, and not so", said - true), ("not forwarded", true - said)):
        if found:
            yield f"{which}: {dict(found)}"
    for _, item in e.sent.forwarded:
        if item.value != e.stored(item.source, item.offset):
            yield f"{item.source}:{item.offset} was forwarded as {item.value!r}"


def reports(e: Evidence) -> Iterator[str]:
    """A watermark report says how far its sender had come in its own inputs: the least of them; and with
    identity on how far in all.
    """
    for report, (reach, own) in e.sent.reports:
        true = (e.place[0], reach, -1 if e.moves is None else own)
        if (report.partition, report.watermark_ms, report.own_watermark_ms) != true:
            yield f"{report} was sent, and partition {e.place[0]} had come to {reach}, in all to {own}"


def keys(e: Evidence) -> Iterator[str]:
    """The key of each record about a person is the bare id, after the tenant if there is one, and the record
    is in the partition that Java clients choose for this key.
    """
    number, partitions = e.place
    for topic, key, tenant, profile in e.keyed:
        if key != (true := person(tenant, profile)):
            yield f"{topic}: a record about {profile} of {tenant} has the key {key!r}, and must have {true!r}"
        elif owner_of(true, partitions) != number:
            yield f"{topic}: a record with the key {key!r} is in partition {number} of {partitions}"


def sources(e: Evidence) -> Iterator[str]:
    """The headers of a transition, if it has any, name the stored record of the event that caused it. Only an
    assert has them, and no step of silence does.
    """
    for headers, t in e.sourced:
        if not headers:
            continue
        source = source_name(headers["source-topic"].decode(), int(headers["source-partition"]))
        event = e.stored(source, int(headers["source-offset"])) or b""
        if t["op"] != "assert" or t["event"] is None:
            yield f"rev {t['rev']}, {t['op']} of {t['kind']}, has headers: {headers}"
        elif headers.get("source-index", b"0") != b"0" or f'"messageId":"{t["event"]}"'.encode() not in event:
            yield f"rev {t['rev']} is caused by {t['event']}, and its headers name {headers}"


def currents(e: Evidence) -> Iterator[str]:
    """The current topics say of everybody's needs where their last journey
    stands; only who may be forgotten is not in them.
    """
    said = {}
    for topic, kind in (("current", "u:"), ("current_devices", "d:")):
        for c in e.topics[topic]:
            who, needs = (c["tenant"], c["profile"]), [n["need"] or "" for n in c["needs"]]
            is_known = who in e.account.signals or "person" in c
            if not c["profile"].startswith(kind) or not is_known:
                yield f"{who} is in the topic {topic}"
            if "person" in c and c["person"] != e.owner(who):
                yield f"{who} is called a device of {c['person']}, and is one of {e.owner(who)}"
            if c["rev"] > e.checkpoint.rev:
                yield f"{who}: a rev from the future"
            if needs != sorted(set(needs)):
                yield f"{who}: the needs are not in order: {needs}"
            said.update({(*who, n["need"]): n for n in c["needs"]})
    for key, journeys in e.held.items():
        last = {j.need: j for j in journeys}
        many = len(last) > oracle.PLACES  # then those that are over are left out
        for need, j in last.items():
            found = said.pop((*key, need or None), None)
            if found is None:
                if not forgettable(e, key, j) and not (many and j.outcome != "open"):
                    yield f"{key} {need!r} is not in the current topic, and their journey is {j}"
                continue
            if found != (true := current(j, e.told(key, j), e.names)):
                yield f"{key} {need!r}: {found} in the current topic, {true} by the oracle"
    for found in said.values():
        yield f"in the current topic, and without a journey: {found}"


def forgettable(e: Evidence, key: Key, j: oracle.Journey) -> bool:
    """Whether nothing that may still come could refer to a journey."""
    last_sign = max(s.at for s in e.told(key, j) if s.kind not in ("stalled", "abandoned"))
    due = (
        j.closed_at + e.patience.refund + e.finality_delay
        if j.outcome == "converted" and j.closed_at is not None
        else last_sign + e.finality_delay + e.allowed_lateness
    )
    return j.outcome != "open" and due < e.mark


def finals(e: Evidence) -> Iterator[str]:
    """The journeys topic has one record of each journey that is closed for good, as the oracle tells
    it, and of each refund; none of another. The record of a purchase that was folded over the cap has the
    money that was known when it was.
    """
    said = Counter(content(f) for f in e.topics["journeys"])
    once: Counter[Any] = Counter()  # in two lives of one person a journey can be the same
    for key, journeys in e.journeys.items():
        for j in journeys:
            if j.outcome == "open":
                continue
            told = e.told(key, j)
            window = e.patience.join if j.outcome == "converted" else 0
            records = [(final(key, j, told, e.rules, e.names, e.cues[key]), (j.closed_at or 0) + window)]
            records += [(refund_record(key, s), s.at) for s in told if s.kind in REFUNDS]
            for record, at in records:
                if content(record) not in said and record["record"] == "journey":
                    record = next((r for r in known_then(e, key, j) if content(r) in said), record)
                found = said[content(record)]
                said[content(record)] -= bool(found)
                once[content(record)] += 1
                due = e.everything and at is not None and at < e.mark - e.finality_delay
                if not found and due and not e.account.redriven.is_frozen(key, e.mark):
                    yield f"not in the journeys topic: {record}"
    for record, more in (+said).items():
        how = f"{more + once[record]} times final" if once[record] else "in the journeys topic, and not so"
        yield f"{how}: {record}"


def _moved_cells(e: Evidence, moved: Moved) -> Counter[Any]:
    """The counters of days that a redriven event has moved; those over all time where a day is not kept."""
    change: Counter[Any] = Counter()
    e.count(change, moved.before, moved.timers, -1)
    e.count(change, moved.after, moved.timers, 1)
    cells: Counter[Any] = Counter()
    for cell, n in change.items():
        if cell[0] == "day":
            cells[("all", None, *cell[2:]) if expired(cell, moved.mark) else cell] += n
    return cells


def redrives(e: Evidence) -> Iterator[str]:
    """Each redriven item ends as what it is, and its receipt says so, and which counters it has moved; one of
    somebody whom another partition owns is sent on to that one, once and as it came.
    """
    yield from e.account.redriven.untrue
    told = {((f"{r['topic']}:{r['partition']}", r["offset"]), r["command"]): r for r in e.topics["redriven"]}
    for item in {*told, *e.account.receipts}:
        said, true = told.get(item, {}), e.account.receipts.get(item, {})
        found = {name: value for name, value in said.items() if name in true} if true else said
        if found != true:
            yield f"the receipt of {item} says {found}, and it is {true}"
    names = dict(e.topics["named"])
    for item, moved in [*e.account.moved.items()][::COUNTERS_OF_EACH]:
        said_cells = {names[c["cell"]]: c["change"] for c in told[item]["counters"] if c["cell"] in names}
        true_cells = _moved_cells(e, moved)
        for cell in {*said_cells, *true_cells} & {*names.values()}:
            if (says := said_cells.get(cell, 0)) != (is_so := true_cells[cell]):
                yield f"the receipt of {item} has moved {cell} by {says}, and it is {is_so}"
    sent = Counter((owner, (m.source, m.offset), m.command) for owner, m in e.sent.redriven)
    true_sent = Counter(
        (r["forwarded_to"], *item) for item, r in e.account.receipts.items() if r["outcome"] == "forwarded"
    )
    for which, wrong in (("sent on, and not so", sent - true_sent), ("not sent on", true_sent - sent)):
        if wrong:
            yield f"{which}: {dict(wrong)}"
    for _, m in e.sent.redriven:
        if m.value != e.stored(m.source, m.offset) or not m.is_sent_on:
            yield f"{m.source}:{m.offset} was sent on as {m}"


def known_then(e: Evidence, key: Key, j: oracle.Journey) -> Iterator[Any]:
    """The final record of a purchase, with the money that was known each time that the profile was over its
    cap: with what it had read by then. The newest comes first.
    """
    taken = e.account.taken.get(key, [])
    for n in range(len(taken) - 1, 0, -1) if j.outcome == "converted" else ():
        known = list({s.event: s for s in taken[:n]}.values())
        if sum(len(s.needs) for s in known) <= profiles.MAX_LIVE_SIGNALS:
            return
        steps = oracle.transitions(known, e.checkpoint.timers_fired_ms, e.patience)
        told = e.told(key, j)
        bought = "converted", j.need, bought_by(told)
        then = next((s for s in steps if (s.kind, s.need, s.event) == bought), None)
        if then is not None:
            told = [then if s.kind == "converted" else s for s in told]
            yield final(key, j, told, e.rules, e.names, e.cues[key])


def bought_by(told: list[oracle.Step]) -> str | None:
    """The event that converted a journey."""
    return next((s.event for s in told if s.kind == "converted"), None)


LAWS: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    rev,
    once,
    standing,
    cues,
    tallies,
    business,
    sinks,
    endings,
    marks,
    versions,
    forwards,
    reports,
    currents,
    finals,
    keys,
    sources,
    redrives,
)
"""Of one partition, in the order they are asked."""

OF_WHAT_IS_REDRIVEN = (endings, redrives)
"""Those that, with identity on, verify has to say where dead letters are redriven."""

NOT_SETTLED = (standing, cues, tallies, business, sinks, currents, finals)
"""Those that hold with identity on only once all is settled, and no cap has decided anything."""
