"""What the page and the API show: the views over the topics of one log, and the answers made of them."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas import Transition
from streams.core.funnels.windows import BY_DAY, BY_HOUR, LENGTH_MIN
from streams.core.ingest.times import MINUTE_MS
from streams.core.processing.json_text import rfc3339
from streams.dashboard import answers, figures, usual
from streams.dashboard.asked import Asked, Range, RangeWindow, range_window
from streams.queries.cell_table import CellSum, CellTable, has_values
from streams.queries.cohorts import CohortReport, report_of_cells, reports_by_dimension
from streams.queries.funnel import cues_by_moment
from streams.queries.funnel_window import CellWindow, FunnelWindow
from streams.queries.instants import ms_of
from streams.queries.views.health import Health, HealthView
from streams.queries.views.latest import LatestMoves
from streams.queries.views.opened_cohorts import OpenedCohort, opened_cohorts
from streams.settings.durations import DAYS
from streams.settings.fold import BUILT_IN, FoldSettings
from streams.topology import TRANSITIONS

MAX_SHOWN = 64  # answers that are kept: few different ones are asked for at a time
NEW_STEPS = 200  # that are kept for listeners who connect again; the figures count all
LATEST_SHOWN = 20  # latest moves in an answer: more than the page has room for
# Days beyond the silence that ends a journey, for the newest cohort that has ended: others show no more.
LOOKED_BACK = 14

_OTHER = "other"  # the value of a dimension where none of its own was met
_decode = msgspec.json.Decoder(Transition).decode


class NewSteps:
    """The steps that came last, each with the number of the message that brought it."""

    topics: Sequence[str] = (TRANSITIONS.name,)

    def __init__(self) -> None:
        self.number = 0  # of the newest
        self._held: deque[tuple[int, bytes]] = deque(maxlen=NEW_STEPS)

    def apply(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Takes a record in; those of other topics are passed over."""
        if topic == TRANSITIONS.name and value is not None:
            self.number += 1
            self._held.append((self.number, value))

    def read_anew(self, topic: str, partition: int) -> None:
        """Some records are gone by age; nothing is to be dropped."""

    def at_end(self, topic: str, partition: int) -> None:
        """Nothing waits for the end."""

    def since(self, number: int, where: Mapping[str, str], limit: int) -> list[Transition]:
        """The newest that came after this number, at most `limit`, the oldest first."""
        found: list[Transition] = []
        for at, value in reversed(self._held):
            if at <= number or len(found) == limit:
                break
            step = _decode(value)
            if _has(step, where):
                found.append(step)
        return found[::-1]


class LiveModel:
    """The views of one log."""

    def __init__(self, app: str, partitions: int) -> None:
        self.app = app
        self.cells, self.health = CellTable(), HealthView(partitions)
        self.latest, self.steps = LatestMoves(), NewSteps()
        self.dimensions: dict[str, list[str]] = {}  # the values of each
        self.abandon_after_ms = 0  # the silence that ends a journey
        self.has_begun = False  # how far the partitions have come is known, and the latest moves
        # The counters over all time are known, and those of windows that begin at this time or later; None:
        # none are yet.
        self.known_from_ms: int | None = None
        self.share_read = 0.0  # of what was stored at the start
        self.is_reachable = True  # the log answers
        # When it answered last, by the wall clock: what was not said since then may have been; None: it has
        # not.
        self.answered_ms: int | None = None
        self.records = 0  # that were read
        self.revision = 0  # grows with each change of what is shown
        self._shown: dict[Asked, answers.Overview] = {}  # those of `_shown_revision`
        self._shown_revision = 0
        # By values of dimensions: for which minute it was looked for, and what was found.
        self._ended_days: dict[tuple[tuple[str, str], ...], tuple[int, answers.DayCohort | None]] = {}

    @property
    def first_views(self) -> Sequence[HealthView | LatestMoves | NewSteps]:
        """What is small and wants to be fed before the counters."""
        return (self.health, self.latest, self.steps)

    @property
    def is_ready(self) -> bool:
        """All that was committed has been read once."""
        return self.known_from_ms == 0

    def knows(self, start_ms: int) -> bool:
        """True if the counters of windows that begin at this time or later are known."""
        return self.known_from_ms is not None and max(0, start_ms) >= self.known_from_ms

    def learn(self, fold: FoldSettings) -> None:
        """Takes in the fold settings under which the log is written."""
        self.abandon_after_ms = fold.abandon_after
        names = [*BUILT_IN, *sorted(set(fold.dimensions) - set(BUILT_IN))]
        self.dimensions = {name: [*fold.dimensions[name].values, _OTHER] for name in names}

    def state(self, now_ms: int) -> answers.AppState:
        """How the app is at this moment of the wall clock."""
        if not self.is_reachable:
            return "unreachable"
        if not any(progress.received for progress in self.health.progress.values()):
            return "empty"
        found = self.health.of_app(now_ms if self.answered_ms is None else min(now_ms, self.answered_ms))
        assert found is not Health.UNKNOWN, "a partition has received something"
        return found.value  # type: ignore[return-value]  # both have these names

    @property
    def as_of_ms(self) -> int:
        """How far event time has come in all partitions that have read something; -1: in none."""
        found = [
            ms_of(progress.watermark)
            if progress.timers_fired is None
            else max(ms_of(progress.watermark), ms_of(progress.timers_fired))
            for progress in self.health.progress.values()
            if progress.watermark is not None
        ]
        return min(found, default=-1)

    @property
    def newest_ms(self) -> int:
        """The greatest watermark of the partitions, by which windows expire; -1: none has one."""
        found = [progress.watermark for progress in self.health.progress.values()]
        return max([ms_of(watermark) for watermark in found if watermark is not None], default=-1)

    @property
    def as_of(self) -> str | None:
        """How far event time has come, as text; None: nowhere."""
        return rfc3339(self.as_of_ms) if self.as_of_ms >= 0 else None

    def behind_s(self, now_ms: int) -> float:
        """How old the newest event is that the slowest partition has processed, while it has more to read."""
        ages = [
            now_ms - ms_of(progress.watermark)
            for progress in self.health.progress.values()
            if progress.watermark is not None and progress.lag
        ]
        return max(ages, default=0) / 1000

    def shown(self, asked: Asked, now_ms: int) -> answers.Overview | answers.Loading:
        """The figures of the page, as far as they are known. They are made once for each revision."""
        if not self.has_begun:
            return answers.Loading(self.app, self.records)
        if self._shown_revision != self.revision or len(self._shown) >= MAX_SHOWN:
            self._shown, self._shown_revision = {}, self.revision
        if (found := self._shown.get(asked)) is None:
            found = self._shown[asked] = self.overview(asked, now_ms)
        return found

    def overview(self, asked: Asked, now_ms: int) -> answers.Overview:
        """The figures of the page: those that are not known yet are None, and named. `now_ms`: the wall
        clock.
        """
        where, state = dict(asked.where), self.state(now_ms)
        as_of_ms = max(self.as_of_ms, 0)
        wanted = range_window(asked.range, as_of_ms)
        return answers.Overview(
            app=self.app,
            as_of=self.as_of,
            state=state,
            behind_s=self.behind_s(now_ms) if state == "behind" else 0.0,
            reading=None if self.is_ready else answers.ReadSoFar(self.records, self.share_read),
            unread=self._unread(wanted),
            range=answers.RangeOf(
                asked.range.value, rfc3339(wanted.start_ms), rfc3339(wanted.over_ms), rfc3339(as_of_ms)
            ),
            filter=where,
            dimensions=self.dimensions,
            people=figures.people_now(self.health.progress.values(), where),
            hours=None
            if self.known_from_ms is None
            else figures.hours_of_week(self.cells.sums(None, where, "hour_of_week")),
            cohort=self._ended_day(asked.where) if self.is_ready else None,
            latest=[shown_step(step) for step in self.latest.latest() if _has(step, where)][:LATEST_SHOWN],
            **self._of_range(asked, wanted) if self.knows(wanted.start_ms) else {},
        )

    def _unread(self, wanted: RangeWindow) -> list[answers.UnreadPart]:
        if self.is_ready:
            return []
        unread: list[answers.UnreadPart] = ["cohort", "usual"]
        if self.known_from_ms is None:
            unread.append("hours")
        return unread if self.knows(wanted.start_ms) else [*unread, *answers.OF_RANGE]

    def _of_range(self, asked: Asked, wanted: RangeWindow) -> dict[str, Any]:
        """The figures that are sums over the windows of the range, by their names."""
        where, dimension = dict(asked.where), asked.by or next(iter(self.dimensions))
        cells = self.cells.sums(wanted.window, where)
        report = report_of_cells(cells)
        return {
            "moves": figures.moves(cells),
            "purchases": self._purchases(wanted, where, figures.refunded(cells)),
            "revenue": figures.money(report.revenue),
            "opened": figures.opened(report),
            "time_to_convert": report.time_to_convert,
            "by": figures.parts(cells, report, dimension),
            "dwell": figures.stays(cells),
            "cues": figures.cue_counts(cells),
        }

    def _purchases(self, wanted: RangeWindow, where: Mapping[str, str], refunded: int) -> answers.Purchases:
        def is_wanted(cell: CellSum) -> bool:
            return figures.is_purchase(cell) and has_values(cell, where)

        back_ms = usual.WEEKS * 7 * DAYS
        window = CellWindow(wanted.cells, wanted.start_ms - back_ms, wanted.end_ms)
        counts, known_from_ms = self.cells.series(window, is_wanted), self._known_from_ms(wanted.cells)
        line = usual.points(wanted, counts, known_from_ms)
        return answers.Purchases(
            step_s=wanted.step_ms // 1000,
            points=line,
            total=sum(point.count for point in line),
            over=sum(point.count for point in line if point.over),
            refunded=refunded,
            before=usual.whole_before(wanted, counts, known_from_ms),
        )

    def _known_from_ms(self, length: int) -> int:
        """From when on windows of a length are known and whole; the first that there is may be cut off."""
        if self.known_from_ms:
            return self.known_from_ms
        starts = self.cells.starts(length)
        return (starts[0] + LENGTH_MIN[length]) * MINUTE_MS if starts else 0

    def _ended_day(self, where: tuple[tuple[str, str], ...]) -> answers.DayCohort | None:
        """The newest day of which every journey has ended. It is weeks old and there are many to look at, so
        it is looked for once a minute of event time.
        """
        minute, known = self.as_of_ms // MINUTE_MS, self._ended_days.get(where)
        if known is None or known[0] != minute:
            if len(self._ended_days) >= MAX_SHOWN:
                self._ended_days.clear()
            known = self._ended_days[where] = minute, self._find_ended_day(dict(where))
        return known[1]

    def _find_ended_day(self, where: Mapping[str, str]) -> answers.DayCohort | None:
        passed_ms = self.as_of_ms
        newest_ms = (passed_ms - self.abandon_after_ms) // DAYS * DAYS
        starts_ms = [start * MINUTE_MS for start in self.cells.starts(BY_DAY)]
        old_enough = [start_ms for start_ms in starts_ms if start_ms <= newest_ms]
        for start_ms in reversed(old_enough[-LOOKED_BACK:]):
            window = CellWindow(BY_DAY, start_ms, start_ms + DAYS)
            (cohort,) = opened_cohorts(self.cells, window, passed_ms, self.abandon_after_ms, where)
            counts = cohort.report.journeys
            if cohort.complete and counts.opened:
                return answers.DayCohort(
                    rfc3339(start_ms),
                    rfc3339(start_ms + DAYS),
                    counts.opened,
                    counts.converted,
                    counts.abandoned,
                )
        return None

    def steps_since(self, number: int, asked: Asked, limit: int) -> list[answers.ShownStep]:
        """The newest moves that came after this one, at most `limit`, the oldest first."""
        return [shown_step(step) for step in self.steps.since(number, dict(asked.where), limit)]

    def cohort_window(self, asked: Range) -> CellWindow:
        """The windows whose cohorts are shown for a range: hours for one of 24h, else days."""
        length = BY_HOUR if asked is Range.DAY else BY_DAY
        step_ms = LENGTH_MIN[length] * MINUTE_MS
        end_ms = (max(self.as_of_ms, 0) // step_ms + 1) * step_ms
        return CellWindow(length, end_ms - asked.length_ms, end_ms)

    def cohorts(self, asked: Asked) -> answers.Cohorts:
        """Cohorts of the range: by hour for one of 24h, else by day."""
        window = self.cohort_window(asked.range)
        step_ms = LENGTH_MIN[window.length] * MINUTE_MS
        found: list[OpenedCohort] = opened_cohorts(
            self.cells, window, self.as_of_ms, self.abandon_after_ms, dict(asked.where)
        )
        return answers.Cohorts(
            self.as_of,
            dict(asked.where),
            [figures.shown_cohort(cohort, cohort.start_ms + step_ms) for cohort in found],
        )

    def funnel(
        self, window: CellWindow | None, shown: FunnelWindow | None, where: Mapping[str, str], by: str | None
    ) -> answers.FunnelAnswer:
        """The funnel of a window, or over all time."""
        cells = self.cells.sums(window, where)
        groups: dict[str, CohortReport] | None = None if by is None else reports_by_dimension(cells, by)
        return answers.FunnelAnswer(
            as_of=self.as_of,
            window=shown,
            filter=dict(where),
            report=report_of_cells(cells),
            cues=cues_by_moment(cells) if window is None else None,
            by=None if by is None or groups is None else {by: groups},
        )

    def partitions(self, now_ms: int) -> answers.Partitions:
        """How far each partition has come."""
        found = [progress for _, progress in sorted(self.health.progress.items())]
        return answers.Partitions(self.as_of, self.state(now_ms), found)


def shown_step(step: Transition, source: str | None = None) -> answers.ShownStep:
    """A transition as it is shown. `source`: where its event was read."""
    return answers.ShownStep(
        id=step.id,
        op=step.op,
        at=step.at,
        kind=step.kind,
        from_=step.from_,
        to=step.to,
        skipped=list(step.skipped),
        dwell_s=step.dwell_s,
        profile=step.profile,
        need=step.need,
        dimensions=step.dimensions,
        rule=step.rule,
        confidence=step.confidence,
        event=step.event,
        device=step.device or None,
        source=source,
    )


def _has(step: Transition, where: Mapping[str, str]) -> bool:
    return all(step.dimensions.get(name) == value for name, value in where.items())
