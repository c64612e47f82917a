"""Names and describes every metric, once: the registry and docs/metrics.md are made from this list.

Labels are partitions, sources and closed lists of words; and libraries of devices, of which there are few. No
label holds a person's id, or anything else that an event holds.
"""

from streams.core.processing.clock_errors import CLOCK_ERROR_BOUNDS_S
from streams.telemetry.metric_spec import MetricSpec

# Figures of a partition: what its last commit says.

LAG = MetricSpec(
    "streams_consumer_lag_records",
    "gauge",
    ("partition", "source"),
    "records of a source (topic:partition) that are not processed yet",
)
HIDDEN_RECORDS = MetricSpec(
    "streams_hidden_records",
    "gauge",
    ("partition", "source"),
    "records of a source that an open transaction hides; the lag counts them too",
)
OPEN_TRANSACTION = MetricSpec(
    "streams_open_transaction_seconds",
    "gauge",
    ("partition", "source"),
    "how long the worker has seen that transaction open; absent when there is none",
)
WATERMARK_LAG = MetricSpec(
    "streams_watermark_lag_seconds",
    "gauge",
    ("partition",),
    "now minus the watermark; absent while the partition has no watermark",
)
EXCLUDED = MetricSpec(
    "streams_excluded_partitions",
    "gauge",
    ("partition",),
    "other partitions that this one no longer waits for, since they were silent for too long",
)
SETTLED_LAG = MetricSpec(
    "streams_settled_lag_seconds",
    "gauge",
    ("partition",),
    "the watermark minus the settled mark: so far others hold back what is final; absent while unknown",
)
HOLDING = MetricSpec(
    "streams_holding_partitions",
    "gauge",
    ("partition",),
    "excluded partitions that hold back the settled mark: nothing becomes final until they are back",
)
RECEIVED = MetricSpec(
    "streams_events_received_total",
    "counter",
    ("partition",),
    "items read and committed, over the app's life",
)
EVENTS_BY_OUTCOME = MetricSpec(
    "streams_events_total",
    "counter",
    ("partition", "outcome"),
    "items read and committed, by outcome: each has exactly one",
)
FORWARDED = MetricSpec(
    "streams_events_forwarded_total",
    "counter",
    ("partition",),
    "events forwarded to the partitions that own their people",
)
REPAIRED = MetricSpec(
    "streams_events_repaired_total",
    "counter",
    ("partition", "kind"),
    "events that were read although something in them was wrong, by kind (docs/input.md)",
)
REDRIVEN_ITEMS = MetricSpec(
    "streams_redriven_items_total",
    "counter",
    ("partition", "outcome"),
    "redriven items by how they ended (docs/consume.md); they were late or rejected before",
)
NARROWED = MetricSpec(
    "streams_events_narrowed_total",
    "counter",
    ("partition",),
    "events applied, but not in all of their needs: their person had no place for these",
)
MOVED_EVENTS = MetricSpec(
    "streams_moved_events_total",
    "counter",
    ("partition", "ending"),
    "events of devices: `given` to a user, `taken` back, `returned` to their device, `narrowed` (given, not "
    "in all of their needs); too late for a busy person: `over_cap` (counts nowhere), `kept` (not taken "
    "back); `settled` (before what is final: its partition was passed); `inconsistent`: a defect of ours",
)
LATE_LINKS = MetricSpec(
    "streams_links_late_total",
    "counter",
    ("partition",),
    "events that came too late to say who was signed in on their device; most of them count",
)
UNLINKED_EVENTS = MetricSpec(
    "streams_events_unlinked_total",
    "counter",
    ("partition", "reason"),
    "events of a user on a device that are no link: the user is `collective`, or the event is `ignored` by "
    "`identity.ignore`. Words that stand for no id are repairs (`placeholder`)",
)
TRANSITIONS_WRITTEN = MetricSpec(
    "streams_transitions_written_total",
    "counter",
    ("partition",),
    "transition records written, retractions included",
)
OPEN_JOURNEYS = MetricSpec(
    "streams_open_journeys",
    "gauge",
    ("partition", "moment"),
    "journeys under way, by the moment that they are in; silent ones are part of them",
)
STALLED_JOURNEYS = MetricSpec(
    "streams_stalled_journeys",
    "gauge",
    ("partition", "moment"),
    "journeys under way that are silent for longer than the patience of their moment",
)
UNMATCHED_REFUNDS = MetricSpec(
    "streams_refunds_unmatched",
    "gauge",
    ("partition",),
    "refunds that found no purchase, over the app's life; a correction takes back what no longer holds; "
    "those that name no person are in streams_rejected_total",
)
UNMATCHED_UPDATES = MetricSpec(
    "streams_order_updates_unmatched",
    "gauge",
    ("partition",),
    "updates of orders that are not known, over the app's life; a correction takes back what no longer holds",
)
UNREAD_AMOUNTS = MetricSpec(
    "streams_amounts_unread_total",
    "counter",
    ("partition",),
    "purchases and refunds that count without their amount, since it cannot be read",
)
JOURNEYS_BY_OUTCOME = MetricSpec(
    "streams_journeys",
    "gauge",
    ("partition", "outcome"),
    "journeys that were `opened`, `converted`, `abandoned`, `refunded`, over the app's life; "
    "a correction takes back what no longer holds",
)
CUES_SEEN = MetricSpec(
    "streams_cues",
    "gauge",
    ("partition", "cue", "matched"),
    "cues, over the app's life; matched=false: there was no journey that it belongs to",
)
STITCHED = MetricSpec(
    "streams_conversions_stitched",
    "gauge",
    ("partition",),
    "purchases whose journey has an event that a device gave to the user, over the app's life; their share "
    'of `streams_journeys{outcome="converted"}` is the stitch rate',
)
FROM_NOWHERE = MetricSpec(
    "streams_conversions_from_nowhere",
    "gauge",
    ("partition",),
    "purchases with nothing before them, over the app's life: lost dots",
)
IDENTITY_ON = MetricSpec(
    "streams_identity_on", "gauge", ("partition",), "1: what a device did is given to its user; 0: it is not"
)
LINKED_DEVICES = MetricSpec(
    "streams_identity_devices",
    "gauge",
    ("partition", "state"),
    "devices on which a user was signed in of late: `linked` to one, `shared`, or `links_only` where nothing "
    "was done without a user",
)
CAPPED = MetricSpec(
    "streams_identity_capped_total",
    "counter",
    ("partition", "what"),
    "what a bound has decided since the partition was opened: `device` (more sign-ins than are kept: it is "
    "shared for good), `event` (a device gave more than it keeps: they stay where they are)",
)
MOST_USERS = MetricSpec(
    "streams_identity_most_users",
    "gauge",
    ("partition",),
    "users of the device that had the most since the partition was opened; `streams identities --busiest` "
    "names it",
)
MOST_DEVICES = MetricSpec(
    "streams_identity_most_devices",
    "gauge",
    ("partition",),
    "devices that gave events to the user who had the most since the partition was opened",
)
EXPIRED_CORRECTIONS = MetricSpec(
    "streams_corrections_expired_total",
    "counter",
    ("partition",),
    "changes of counters whose window is no longer kept",
)
RESTORE_PROGRESS = MetricSpec(
    "streams_restore_progress_ratio",
    "gauge",
    ("partition",),
    "how much of the partition's state is restored, 0 to 1; absent when it is open",
)

USER_AGENT_LAG = MetricSpec(
    "streams_user_agent_lag_records",
    "gauge",
    ("agent", "topic", "partition"),
    "records of an output that an agent of yours, or announce, is not done with; absent if not known",
)

# Figures of a process: they begin at zero when it starts.

OPEN_AGENTS = MetricSpec("streams_open_agents", "gauge", (), "partitions that this worker processes")
ASSIGNED = MetricSpec(
    "streams_assigned_partitions", "gauge", (), "partitions that the group has assigned to this worker"
)
STOPPED_INPUTS = MetricSpec(
    "streams_stopped_inputs",
    "gauge",
    ("input",),
    "1: this input was deleted and made anew, and is read no more; absent while none is",
)
FUNNEL_WRITER = MetricSpec(
    "streams_funnel_writer",
    "gauge",
    (),
    "1: this worker writes the topic `<app>.funnel`; its sum over the workers is 1, or nobody does",
)
FUNNEL_CELLS = MetricSpec(
    "streams_funnel_cells",
    "gauge",
    (),
    "counters in `<app>.funnel`; absent where this worker does not write it",
)
FUNNEL_WRITTEN = MetricSpec(
    "streams_funnel_written_timestamp_seconds",
    "gauge",
    (),
    "when this worker last had written all that the tallies said, seconds since 1970 UTC; absent if never. "
    "The greatest over the workers is about now while the topic is written",
)
BUILD_INFO = MetricSpec("streams_build_info", "gauge", ("version",), "1; the version of the program")
BATCH_SIZE = MetricSpec(
    "streams_batch_size_records",
    "histogram",
    (),
    "records read for one batch",
    (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000),  # as far as MAX_BATCH_EVENTS
)
COMMIT_LATENCY = MetricSpec(
    "streams_commit_latency_seconds",
    "histogram",
    (),
    "from the beginning of a transaction until the log has committed it",
    (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15),  # a commit gives up after 15 s
)
END_TO_END_LATENCY = MetricSpec(
    "streams_end_to_end_latency_seconds",
    "histogram",
    (),
    "from a record's timestamp in the input to its commit, for the oldest record of each batch",
    # The goal is 50 ms. A take-over takes seconds, a backlog minutes.
    (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
CLOCK_ERROR = MetricSpec(
    "streams_clock_error_seconds",
    "histogram",
    ("channel", "library"),
    "how far devices' clocks are ahead (below 0: behind), by events that were dated as sent and as received",
    CLOCK_ERROR_BOUNDS_S,
)
REJECTED_ITEMS = MetricSpec(
    "streams_rejected_total",
    "counter",
    ("reason",),
    "items that could not be read, by this process; docs/input.md has the reasons",
)
LATE_ITEMS = MetricSpec(
    "streams_late_total",
    "counter",
    ("reason",),
    "events that came too late to count, by this process: `lateness`, `over_cap`",
)
UNKNOWN_NAMES = MetricSpec(
    "streams_unknown_names_total",
    "counter",
    ("read_by",),
    "events with a name that no rule has, by this process, by what read them instead: `unnumbered_purchase` "
    "(the words of the name, which look like a purchase, but no order is named: it does not count as one), "
    "`words`, `search`, `page`, `nothing`. `streams explain --unknown` lists the names",
)
RETRACTED = MetricSpec(
    "streams_transitions_retracted_total",
    "counter",
    (),
    "transitions that a correction took back, by this process",
)
AGENT_DEATHS = MetricSpec(
    "streams_agent_deaths_total",
    "counter",
    ("reason",),
    "agents that ended by an error: `fenced`, `unavailable`, `defect`",
)
RESTORE_SECONDS = MetricSpec(
    "streams_restore_seconds",
    "histogram",
    (),
    "from taking a partition over until its first read",
    (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600),  # a million profiles take about a minute
)
RESTORED_RECORDS = MetricSpec(
    "streams_restored_records_total", "counter", (), "state records read while restoring"
)

PERSON_QUESTIONS = MetricSpec(
    "streams_person_questions_total",
    "counter",
    ("outcome",),
    "questions of the dashboard and of other workers about a person: `answered` (also that nobody is known), "
    "or `unavailable` (a partition is being assigned or restored, or the worker is too busy)",
)

METRICS = (
    LAG, HIDDEN_RECORDS, OPEN_TRANSACTION, WATERMARK_LAG, SETTLED_LAG, EXCLUDED, HOLDING, RECEIVED,
    EVENTS_BY_OUTCOME, FORWARDED, REPAIRED, REDRIVEN_ITEMS, NARROWED, MOVED_EVENTS, LATE_LINKS,
    UNLINKED_EVENTS, TRANSITIONS_WRITTEN, OPEN_JOURNEYS,
    STALLED_JOURNEYS, JOURNEYS_BY_OUTCOME, CUES_SEEN, UNMATCHED_REFUNDS, UNMATCHED_UPDATES,
    UNREAD_AMOUNTS, STITCHED, FROM_NOWHERE, IDENTITY_ON, LINKED_DEVICES, CAPPED, MOST_USERS, MOST_DEVICES,
    EXPIRED_CORRECTIONS, RESTORE_PROGRESS, OPEN_AGENTS, ASSIGNED, STOPPED_INPUTS,
    FUNNEL_WRITER, FUNNEL_CELLS, FUNNEL_WRITTEN, BUILD_INFO, BATCH_SIZE, COMMIT_LATENCY, CLOCK_ERROR,
    END_TO_END_LATENCY, REJECTED_ITEMS, LATE_ITEMS, UNKNOWN_NAMES, RETRACTED, AGENT_DEATHS,
    RESTORE_SECONDS, RESTORED_RECORDS, USER_AGENT_LAG, PERSON_QUESTIONS,
)  # fmt: skip
