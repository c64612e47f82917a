"""Bugs that this kind of program has had elsewhere, planted into the real code one at a time: a law that catches none of them is not a law.

Each is a change of source text. The text must be there exactly once, so a bug whose place has moved fails loudly and is planted anew.
`python -m tests.planted` plants all of them, prints which law catches each and first in which seed, and `--write` puts that into docs/testing.md.
"""

from typing import NamedTuple


class Bug(NamedTuple):
    """`changes`: (old text, new text) in one module."""

    name: str
    module: str
    changes: tuple[tuple[str, str], ...]


def _bug(name: str, module: str, *texts: str) -> Bug:
    return Bug(name, module, tuple(zip(texts[::2], texts[1::2], strict=True)))


BUGS = (
    _bug(
        "the checkpoint is committed before its outputs",
        "streams.runtime.partition_agent",
        "await self.session.commit(batch)",
        "await self.session.commit(Batch((), (), batch.checkpoint)); await self.session.commit(batch)",
    ),
    _bug(
        "the checkpoint is written after the transaction",
        "streams.log.memory",
        'self._stored.checkpoint = batch.checkpoint\n        self._faults("commit.after")',
        'self._faults("commit.after")\n        self._stored.checkpoint = batch.checkpoint',
    ),
    _bug(
        "half of a transaction can be seen",
        "streams.log.memory",
        """        for topic, outputs in groups.items():
            for output in outputs:
""",
        """        for topic, outputs in groups.items():
            for output in outputs:
                self._faults("commit.write")
""",
        '            self._faults("commit.write")\n        for topic',
        "            pass\n        for topic",
    ),
    _bug(
        "two agents work on one partition",
        "streams.log.memory",
        "if self._epoch != self._stored.epoch:",
        "if False:",
    ),
    _bug(
        "duplicates are not looked for",
        "streams.core.journeys.profile",
        "twin = find(journal, ref, known)",
        "twin = -1",
    ),
    _bug(
        "ids are dropped with the fold: a copy stamped anew counts again",
        "streams.core.journeys.population",
        "trim(p, self.mark - self.allowed_lateness_ms, self.mark - 2 * self.allowed_lateness_ms,",
        "trim(p, self.mark - self.allowed_lateness_ms, self.mark - self.allowed_lateness_ms,",
    ),
    _bug(
        "the larger copy of an event stays",
        "streams.core.journeys.profile",
        "if not smaller(p, twin,",
        "if smaller(p, twin,",
    ),
    _bug(
        "timers are lost at a restart",
        "streams.core.journeys.population",
        "self.timers = [(p.armed_ms, p.key) for p in self.profiles.values() if p.armed_ms >= 0]",
        "self.timers = []",
    ),
    _bug(
        "a timer that goes off early is not set again",
        "streams.core.journeys.population",
        "            self.arm(p)\n        self.timer = max",
        "        self.timer = max",
    ),
    _bug(
        "a retraction is forgotten",
        "streams.core.journeys.profile",
        "retracts += [t for t in reversed(gone) if t not in come]",
        "pass",
    ),
    _bug(
        "what is so now is said before what is not so any more is taken back",
        "streams.core.processing.step",
        """            for t in retracts:
                count_transition(t, -1, delta)
                moved[p.key, t.need] = p
                if t.kind != UNMATCHED:
                    rev += 1
                    outputs.append(Output(TRANSITIONS, key, transition(p, "retract", rev, t)))
            for t in asserts:
                count_transition(t, 1, delta)
                moved[p.key, t.need] = p
                if t.kind != UNMATCHED:  # a refund that found no purchase is counted, not published
                    rev += 1
                    outputs.append(Output(TRANSITIONS, key, transition(p, "assert", rev, t)))
""",
        """            for t in asserts:
                count_transition(t, 1, delta)
                moved[p.key, t.need] = p
                if t.kind != UNMATCHED:  # a refund that found no purchase is counted, not published
                    rev += 1
                    outputs.append(Output(TRANSITIONS, key, transition(p, "assert", rev, t)))
            for t in retracts:
                count_transition(t, -1, delta)
                moved[p.key, t.need] = p
                if t.kind != UNMATCHED:
                    rev += 1
                    outputs.append(Output(TRANSITIONS, key, transition(p, "retract", rev, t)))
""",
    ),
    _bug(
        "a counter is not taken back",
        "streams.core.processing.step",
        "count_transition(t, -1, delta)",
        "pass",
    ),
    _bug(
        "where somebody stands is not told after a retraction",
        "streams.core.processing.step",
        "count_transition(t, -1, delta)\n                moved[p.key, t.need] = p",
        "count_transition(t, -1, delta)",
    ),
    _bug(
        "rev begins anew at a restart",
        "streams.core.processing.step",
        "self.checkpoint = checkpoint\n",
        "self.checkpoint = checkpoint; checkpoint.rev = 0\n",
    ),
    _bug(
        "a batch that moves no mark is not committed",
        "streams.runtime.partition_agent",
        "committed = bool(count) or checkpoint or",
        "committed = checkpoint or",
    ),
    _bug(
        "a record that can't be read stops the worker",
        "streams.core.ingest.formats.segment",
        "_UNREADABLE = (msgspec.MsgspecError, ValueError, ",
        "_UNREADABLE = (",
    ),
    _bug(
        "a record is skipped after each batch",
        "streams.core.processing.step",
        "position.offset = records[-1].offset + 1",
        "position.offset = records[-1].offset + 2",
    ),
    _bug(
        "the last record of a batch is read again, for ever",
        "streams.core.processing.step",
        "position.offset = records[-1].offset + 1",
        "position.offset = records[-1].offset",
    ),
    _bug(
        "an event from the future is let in",
        "streams.core.processing.step",
        "record.time_ms + skew if 0 <= record.time_ms < latest else limit",
        "LATEST_MS",
    ),
    _bug(
        "the mark runs ahead of the events",
        "streams.core.processing.step",
        "reached = at\n",
        "reached = at + 1\n",
    ),
    _bug(
        "the wall clock moves the horizon mark",
        "streams.core.processing.step",
        "            timer = clock_ms\n",
        "            timer = population.mark = clock_ms\n",
    ),
    _bug(
        "the horizon is measured from the wall clock",
        "streams.core.processing.step",
        "if at < mark - allowed_lateness:",
        "if at < record.time_ms - allowed_lateness:",
    ),
    _bug(
        "the timer position is not kept",
        "streams.core.processing.step",
        "c.mark, c.timer, c.eras = population.mark, population.timer,",
        "c.mark, c.timer, c.eras = population.mark, population.mark - 1,",
    ),
    _bug(
        "a segment of state that changed is not written again",
        "streams.core.journeys.store",
        "for n in range(p.saved // SEGMENT, full):",
        "for n in range(p.sealed, full):",
    ),
    _bug(
        "a segment of state that is gone stays in the state topic",
        "streams.core.journeys.store",
        "for n in range(full, p.sealed)]",
        "for n in ()]",
    ),
    _bug(
        "changed fold settings are accepted",
        "streams.runtime.partition_agent",
        "if last is not None and (difference",
        "if False and last is not None and (difference",
    ),
    _bug(
        "final records are written once more after a restart",
        "streams.core.journeys.store",
        "len(journal) // SIZE, len(parts) - 1, h.final_ms",
        "len(journal) // SIZE, len(parts) - 1, 0",
    ),
    _bug(
        "a journey is final before its horizon has passed",
        "streams.core.journeys.population",
        "oldest = self.mark - self.allowed_lateness_ms",
        "oldest = self.mark",
    ),
    _bug(
        "chores that a restart interrupted are left",
        "streams.core.journeys.population",
        "max(mark - 1, 0)",
        "max(mark, 0)",
    ),
    _bug(
        "a purchase is forgotten before a refund can be that late",
        "streams.core.journeys.profile",
        "patience.refund + allowed_lateness_ms)",
        "patience.refund)",
    ),
    _bug(
        "people are forgotten as soon as they are silent",
        "streams.core.journeys.profile",
        "due = (p.newest >> TIME) + 2 * allowed_lateness_ms",
        "due = p.newest >> TIME",
    ),
    _bug(
        "the forgotten leave segments behind",
        "streams.core.journeys.population",
        "for n in (HEAD, *segments(p))]",
        "for n in (HEAD,)]",
    ),
    _bug(
        "new rules are recorded one record late",
        "streams.core.processing.rulebook",
        "self.eras.append(Era(begun, number))",
        "self.eras.append(Era({source: offset + 1 for source, offset in begun.items()}, number))",
    ),
)
