import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from streams.core.funnels.figures import JourneyFigures
from streams.core.ingest.event import Event
from streams.core.moments.verdict import CUE_NAMES, READ_INSTEAD
from streams.core.processing.checkpoint import Counts
from streams.core.processing.clock_errors import MAX_CLOCKS, ClockCounts
from streams.core.processing.committed import DeviceFigures
from streams.core.processing.move_letters import MOVED_ENDINGS, UNLINKED_REASONS
from streams.telemetry.clock_totals import ClockTotals
from streams.telemetry.meters import Death, Meters, UserAgentLag
from streams.telemetry.metrics import METRICS
from tests.telemetry.fixed import FixedClock
from tests.telemetry.steps import step

NOW_S = 1_700_000_000.0


def meters() -> Meters:
    return Meters(FixedClock(NOW_S))


def shown(of: Meters) -> dict[str, float]:
    """Every sample, by its name and labels as Prometheus reads them."""
    return {
        sample.name
        + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(of.render().decode())
        for sample in family.samples
    }


def test_the_registry_has_the_metrics_of_the_list() -> None:
    """Their kinds and labels are those of the list, too. Prometheus adds its own metrics of the process."""
    of = meters()
    of.restoring(0, 1, 2)
    of.committed(
        step(
            1,
            watermark_ms=0,
            settled_mark_ms=0,
            lags={"clicks:1": 3},
            clock_errors=ledger(("web", "ours", 5)).errors,
        )
    )
    of.user_agent_lags = lambda: [UserAgentLag("announce", "shop.transitions", 0, 5)]
    of.blocked(1, {"clicks:1": NOW_S})
    of.stopped("orders")
    of.funnel_written(12)
    families = {
        family.name: family
        for family in text_string_to_metric_families(of.render().decode())
        if not family.name.startswith("process_")
    }
    assert {metric.name.removesuffix("_total"): metric.kind for metric in METRICS} == {
        name: family.type for name, family in families.items()
    }
    for metric in METRICS:
        labels = {
            label
            for sample in families[metric.name.removesuffix("_total")].samples
            for label in sample.labels
        } - {"le"}
        assert set(metric.labels) == labels, metric.name


def test_the_writer_of_the_funnel() -> None:
    """Whether it is this worker, how many counters there are, and when it last had written all of them. That
    time stays when it cannot go on: it is what an alert looks at.
    """
    of = meters()

    def funnel() -> dict[str, float]:
        return {
            name.removeprefix("streams_funnel_"): value
            for name, value in shown(of).items()
            if name.startswith("streams_funnel_")
        }

    assert {"writer": 0} == funnel()
    of.funnel_opened(5)
    assert {"writer": 1, "cells": 5} == funnel()
    of.funnel_written(7)
    assert {"writer": 1, "cells": 7, "written_timestamp_seconds": NOW_S} == funnel()
    of.funnel_closed()
    assert {"writer": 0, "written_timestamp_seconds": NOW_S} == funnel()


def ledger(*noted: tuple[str, str | None, int]) -> ClockCounts:
    """A batch of events: the channel and library of each, and by how many ms its clock was ahead."""
    found = ClockCounts()
    for channel, library, error_ms in noted:
        context = {} if library is None else {"library": {"name": library}}
        found.note(Event("e", 0, 0, "d", None, "track", "x", {}, context, channel), error_ms)
    return found


def test_clock_errors() -> None:
    """They add up over steps, by channel and library; a bucket holds all that is not beyond its bound."""
    of = meters()
    day_ms = 86_400_000
    of.committed(
        step(0, clock_errors=ledger(("web", "analytics.js", -1), ("Browser", "analytics.js", 0)).errors)
    )
    of.committed(step(1, clock_errors=ledger(("web", "analytics.js", 1001), ("x", None, 2 * day_ms)).errors))
    found = shown(of)
    name = "streams_clock_error_seconds_bucket channel=web le={} library=analytics.js"
    assert [0.0, 2.0, 2.0, 3.0, 3.0] == [
        found[name.format(bound)] for bound in ("-1.0", "0.0", "1.0", "10.0", "+Inf")
    ]
    other = "streams_clock_error_seconds_bucket channel=other le={} library=none"
    assert [0.0, 1.0] == [found[other.format(bound)] for bound in ("86400.0", "31536000.0")]


def test_libraries_are_few() -> None:
    """Names of libraries are what senders write: only so many have a line of their own."""
    many = ledger(*[("web", f"library {n}", 0) for n in range(2 * MAX_CLOCKS)], ("web", "x" * 100, 0))
    assert len(many.errors) == MAX_CLOCKS + 1
    totals = ClockTotals()
    for n in range(3):
        for clocks, counts in ledger(*[("web", f"{n}.{m}", 0) for m in range(MAX_CLOCKS)]).errors.items():
            totals.add(clocks, counts)
    (family,) = [totals.metric()]
    assert len({sample.labels["library"] for sample in family.samples}) == MAX_CLOCKS + 1


def test_a_partition_shows_its_last_commit() -> None:
    """Outcomes add up to what was received; the watermark is measured from now."""
    of = meters()
    outcomes = {
        "applied": 4, "refused": 1, "robot": 2, "no_signal": 3, "duplicate": 1, "late": 1, "rejected": 1,
    }  # fmt: skip
    counts = Counts(received=13)
    for name, count in outcomes.items():
        setattr(counts, name, count)
    of.committed(
        step(
            3,
            10,
            totals=counts,
            commit_s=0.008,
            oldest_ms=int(NOW_S * 1000) - 40,
            watermark_ms=int(NOW_S * 1000) - 2_500,
            rev=7,
            lags={"clicks:3": 12, "shop.inbox:3": 0},
        )
    )
    found = shown(of)
    assert outcomes == {
        name.partition("outcome=")[2].split()[0]: value
        for name, value in found.items()
        if name.startswith("streams_events_total ") and value
    }
    assert 13 == found["streams_events_received_total partition=3"]
    assert pytest.approx(2.5) == found["streams_watermark_lag_seconds partition=3"]
    assert (12, 0) == (found["streams_consumer_lag_records partition=3 source=clicks:3"],
                       found["streams_consumer_lag_records partition=3 source=shop.inbox:3"])  # fmt: skip
    assert 7 == found["streams_transitions_written_total partition=3"]
    assert (1, 10) == (found["streams_batch_size_records_count"], found["streams_batch_size_records_sum"])
    assert 1 == found["streams_commit_latency_seconds_count"]
    assert pytest.approx(0.008) == found["streams_commit_latency_seconds_sum"]
    assert pytest.approx(0.04, abs=1e-3) == found["streams_end_to_end_latency_seconds_sum"]


def test_a_step_that_found_nothing_is_no_batch() -> None:
    """It refreshes the lag, and shows the totals of a partition that has committed nothing here yet."""
    of = meters()
    of.committed(step(written=False, totals=Counts(received=5, applied=5), lags={"clicks:0": 0}))
    found = shown(of)
    assert (0, 0) == (
        found["streams_batch_size_records_count"],
        found["streams_commit_latency_seconds_count"],
    )
    assert (5, 0) == (
        found["streams_events_received_total partition=0"],
        found["streams_consumer_lag_records partition=0 source=clicks:0"],
    )


def test_a_commit_of_time_alone_is_no_batch_of_events() -> None:
    """An idle partition commits from time to time: that has a latency, but no size."""
    of = meters()
    of.committed(step(commit_s=0.01))
    found = shown(of)
    assert (0, 1, 0) == (
        found["streams_batch_size_records_count"],
        found["streams_commit_latency_seconds_count"],
        found["streams_end_to_end_latency_seconds_count"],
    )


def test_a_partition_without_events_has_no_watermark() -> None:
    """A lag of half a century would be a false alarm."""
    of = meters()
    of.committed(step())
    assert not any(name.startswith("streams_watermark_lag") for name in shown(of))


NONE = (0,) * len(CUE_NAMES)
SOME = tuple(2 * (cue == "slow_page") for cue in CUE_NAMES)


def test_business_figures_are_shown_by_moment_and_by_outcome() -> None:
    """They are gauges: a correction takes journeys back, and a counter must not fall."""
    of = meters()
    of.committed(
        step(2, 1, journeys=JourneyFigures((4, 3, 2, 1), (2, 0, 1, 0), 20, 7, 3, 1, NONE, NONE, 5, 1))
    )
    of.committed(
        step(2, 1, journeys=JourneyFigures((4, 3, 2, 1), (2, 0, 1, 0), 19, 6, 3, 1, SOME, NONE, 4, 2))
    )
    found = shown(of)

    def by(name: str) -> dict[str, float]:
        return {
            series.split("=")[1].split()[0]: value
            for series, value in found.items()
            if series.startswith(f"{name} ")
        }

    assert {"know": 4, "go": 3, "do": 2, "buy": 1} == by("streams_open_journeys")
    assert {"know": 2, "go": 0, "do": 1, "buy": 0} == by("streams_stalled_journeys")
    assert {"opened": 19, "converted": 6, "abandoned": 3, "refunded": 1} == by("streams_journeys")
    assert (2, 0) == tuple(
        found[f"streams_cues cue=slow_page matched={matched} partition=2"] for matched in ("true", "false")
    )
    assert 4 == found["streams_refunds_unmatched partition=2"]
    assert 2 == found["streams_order_updates_unmatched partition=2"]
    of.closed(2)
    assert not any(name.startswith("streams_journeys") for name in shown(of))


def test_a_restore_shows_how_far_it_is_until_the_partition_is_open() -> None:
    """A restore without records is a whole one."""
    of = meters()
    of.assigned([1, 2, 5])
    of.restoring(1, 25, 100)
    of.restoring(2, 0, 0)
    found = shown(of)
    assert (0.25, 1) == (
        found["streams_restore_progress_ratio partition=1"],
        found["streams_restore_progress_ratio partition=2"],
    )
    of.opened(1, 2.0, 100)
    found = shown(of)
    assert "streams_restore_progress_ratio partition=1" not in found
    assert (1, 3) == (found["streams_open_agents"], found["streams_assigned_partitions"])
    assert (2.0, 100) == (found["streams_restore_seconds_sum"], found["streams_restored_records_total"])


@pytest.mark.parametrize("reason", Death)
def test_a_death_is_counted_and_ends_the_series_of_the_partition(reason: Death) -> None:
    """The worker that opens the partition next shows them."""
    of = meters()
    of.opened(4, 1.0, 0)
    of.committed(step(4, 1, totals=Counts(received=1, applied=1), watermark_ms=5, lags={"clicks:4": 1}))
    of.died(4, reason)
    found = shown(of)
    assert (1, 0) == (found[f"streams_agent_deaths_total reason={reason}"], found["streams_open_agents"])
    assert not any("partition=4" in name for name in found)


def test_reasons_are_there_before_their_first_case() -> None:
    """Every reason begins at zero, so that its first case is a rise."""
    of = meters()
    before = {name: value for name, value in shown(of).items() if " reason=" in name}
    assert {"streams_rejected_total reason=undecodable", "streams_late_total reason=over_cap"} <= set(before)
    assert {0} == set(before.values())
    of.committed(
        step(0, 4, reasons={"rejected": {"bad_time": 1}, "late": {"lateness": 3}, "no_signal": {"empty": 2}})
    )
    of.committed(step(written=False))
    after = shown(of)
    assert {"streams_late_total reason=lateness": 3, "streams_rejected_total reason=bad_time": 1} == {
        name: value for name, value in after.items() if " reason=" in name and value
    }


def test_unknown_names_are_counted_by_what_reads_them() -> None:
    """Each kind begins at zero, and no label has a name."""
    of = meters()
    before = {name: value for name, value in shown(of).items() if "unknown_names" in name}
    assert {f"streams_unknown_names_total read_by={kind}": 0 for kind in READ_INSTEAD} == before
    of.committed(step(0, 4, reasons={"unknown_name": {"nothing": 3, "unnumbered_purchase": 1}}))
    after = {name: value for name, value in shown(of).items() if "unknown_names" in name}
    assert (
        before
        | {
            "streams_unknown_names_total read_by=nothing": 3,
            "streams_unknown_names_total read_by=unnumbered_purchase": 1,
        }
        == after
    )


def test_two_workers_of_one_process_do_not_share_figures() -> None:
    """Each has a registry of its own."""
    one, other = meters(), meters()
    one.died(0, Death.FENCED)
    assert 0 == shown(other)["streams_agent_deaths_total reason=fenced"]


def test_each_outcome_is_shown() -> None:
    """All counts but those of received, forwarded, repaired, redriven and narrowed items, of moves, and of
    amounts that cannot be read, are outcomes: these add up.
    """
    of, fields = meters(), len(msgspec.structs.fields(Counts))
    of.committed(step(0, 1, totals=Counts(*range(1, fields - 2))))
    outcomes = [name for name in shown(of) if name.startswith("streams_events_total ")]
    assert fields - 7 == len(outcomes)


def test_redriven_items_have_metrics_of_their_own() -> None:
    """By how they ended; they are no second outcome of an event."""
    of = meters()
    of.committed(step(0, 5, totals=Counts(received=2, late=2, redriven={"applied": 1, "late": 1})))
    found = shown(of)
    assert 1 == found["streams_redriven_items_total outcome=applied partition=0"]
    assert 0 == found["streams_redriven_items_total outcome=already partition=0"]
    assert 2 == sum(value for name, value in found.items() if name.startswith("streams_events_total "))


def test_a_forwarded_event_has_no_outcome_here() -> None:
    """It is received by the partition that owns its person, and has its outcome there."""
    of = meters()
    of.committed(
        step(
            0,
            5,
            totals=Counts(
                received=2,
                applied=2,
                forwarded=3,
                repaired={"encoding": 4},
                narrowed=1,
                unread_amounts=6,
                moves={"given": 7, "inconsistent": 1, "late_links": 2, "collective": 3},
            ),
        )
    )
    found = shown(of)
    assert 3 == found["streams_events_forwarded_total partition=0"]
    assert 4 == found["streams_events_repaired_total kind=encoding partition=0"]
    assert 1 == found["streams_events_narrowed_total partition=0"]
    moved = [found[f"streams_moved_events_total ending={word} partition=0"] for word in MOVED_ENDINGS]
    assert [7, 0, 0, 0, 0, 0, 0, 1] == moved
    assert 2 == found["streams_links_late_total partition=0"]
    unlinked = [found[f"streams_events_unlinked_total partition=0 reason={why}"] for why in UNLINKED_REASONS]
    assert [3, 0] == unlinked
    assert 6 == found["streams_amounts_unread_total partition=0"]
    assert 2 == sum(value for name, value in found.items() if name.startswith("streams_events_total "))


def test_corrections_add_up() -> None:
    """A batch that was not committed took nothing back."""
    of = meters()
    for retracted, written in ((2, True), (5, False), (1, True)):
        of.committed(step(0, 9, written=written, retracted=retracted))
    assert 3 == shown(of)["streams_transitions_retracted_total"]


def test_identity_is_shown_by_partition() -> None:
    """Purchases that are stitched and from nowhere, devices by what they are, and what bounds did."""
    of = meters()
    journeys = replace(step().journeys, converted=9, stitched=4, from_nowhere=3)
    of.committed(step(2, 1, journeys=journeys, devices=DeviceFigures(True, 5, 1, 7, 2, 30, 6, 4)))
    found = shown(of)
    assert (4, 3, 1) == tuple(
        found[f"streams_{name} partition=2"]
        for name in ("conversions_stitched", "conversions_from_nowhere", "identity_on")
    )
    assert {"linked": 5, "shared": 1, "links_only": 7} == {
        state: found[f"streams_identity_devices partition=2 state={state}"]
        for state in ("linked", "shared", "links_only")
    }
    assert (2, 30) == tuple(
        found[f"streams_identity_capped_total partition=2 what={what}"] for what in ("device", "event")
    )
    assert 6 == found["streams_identity_most_users partition=2"]
    assert 4 == found["streams_identity_most_devices partition=2"]
