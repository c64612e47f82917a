"""What the Kafka client logs, in our words: a line of ours, or none where one of ours says it already.

aiokafka 0.14 writes a line for each request that fails, and while a broker restarts each of our clients has
many. Such a request is made again by the client, or the agent that needs it dies, which is logged as `died`.
What nobody else says is that a broker cannot be reached. A line that is not known here comes out as `client`,
with the client's text as a field, so that nothing is lost that nobody thought of.
"""

import logging
from typing import Literal, NamedTuple

CLIENT_LOGGER = "aiokafka"

# Events of the client, as docs/operations.md shows them.
CLIENT_LIFE = {
    "unreachable": "a broker cannot be reached, and the client tries again: broker, reason",
    "client": "the Kafka client says something that no other line says: detail, logger",
}


class Known(NamedTuple):
    """What becomes of a line."""

    why: str  # it is no warning of ours, or what it says
    event: Literal["unreachable"] | None = None  # None: only shown when somebody asks for more
    broker: str = ""  # with the arguments of the line
    reason: str = ""


_ASKED_AGAIN = Known("the client asks again; an agent that waits too long dies, which is logged")
_RAISED = Known("it is raised too, and logged with what it ended")
_OURS = Known("topics and rights are checked at the start, with an error that says what would be right")
_DAILY = Known(
    "every rebalance and every restart of a broker brings it; `assigned` and `waiting` say the rest"
)

# By the text of a line before its arguments are filled in.
KNOWN = {
    'Unable connect to "%s:%s": %s': Known("nobody else says so", "unreachable", "{0}:{1}", "{2}"),
    "Unable connect to node with id %s: %s": Known("nobody else says so", "unreachable", "{0}", "{1}"),
    'Unable to request metadata from "%s:%s": %s': Known(
        "nobody else says so", "unreachable", "{0}:{1}", "{2}"
    ),
    "Unable to request metadata from node with id %s: %r": Known(
        "nobody else says so", "unreachable", "{0}", "{1}"
    ),
    "Unable to update metadata from %s": Known("`unreachable` says so, by broker"),
    "No broker metadata found in MetadataResponse -- ignoring.": _ASKED_AGAIN,
    "Failed fetch messages from %s: %s": _ASKED_AGAIN,
    "Failed fetch offsets from %s: %s": _ASKED_AGAIN,
    "Unexpected error while fetching data: %s": _ASKED_AGAIN,
    "Attempt to fetch offsets for partition %s failed due to: %s": _ASKED_AGAIN,
    "Received unknown topic or partition error in ListOffset request for partition %s. The topic/partition "
    "may not exist or the user may not have Describe access to it.": _ASKED_AGAIN,
    "Error fetching metadata for topic %s: %s": _ASKED_AGAIN,
    "Topic %s is not available during auto-create initialization": _ASKED_AGAIN,
    "Cannot send %r to %s: %r": _ASKED_AGAIN,
    "Could not send %r: %r": _ASKED_AGAIN,
    "Got error produce response: %s": _ASKED_AGAIN,
    "Got error produce response on topic-partition %s, retrying. Error: %s": _ASKED_AGAIN,
    "Topic %s not found in cluster metadata": _OURS,
    "Topic %s is not authorized for this client": _OURS,
    "'%s' is not a valid topic name": _OURS,
    "Not authorized to read from topic %s.": _OURS,
    "Sending username and password in the clear": Known("the user chose SASL_PLAINTEXT"),
    "FindCoordinator Request failed: %s": _RAISED,
    "Unexpected error during InitProducerIdRequest: %s": _RAISED,
    "Could not add partition %s due to unexpected error: %s": _RAISED,
    "Could not add consumer group due to unexpected error: %s": _RAISED,
    "Could not commit offset for partition %s due to unexpected error: %s": _RAISED,
    "Could not end transaction due to unexpected error: %s": _RAISED,
    "Unexpected error in sender routine": _RAISED,
    "Unexpected error in fetcher routine": _RAISED,
    "Error sending %s to node %s [%s] -- marking coordinator dead": _DAILY,
    "Marking the coordinator dead (node %s)for group %s.": _DAILY,
    "LeaveGroup request failed: %s": _DAILY,
    "OffsetCommit failed before join, ignoring: %s": _DAILY,
    "Group Coordinator Request failed: %s": _DAILY,
    "Heartbeat session expired - marking coordinator dead": _DAILY,
    "Heartbeat send request failed: %s. Will retry.": _DAILY,
    "Heartbeat failed for group %s: coordinator (node %s) is either not started or not valid": _DAILY,
    "Heartbeat failed for group %s because it is rebalancing": _DAILY,
    "Heartbeat failed for group %s: generation id is not  current.": _DAILY,
    "Heartbeat failed: local member_id was not recognized; resetting and re-joining group": _DAILY,
    "Heartbeat failed: %r": _DAILY,
    "OffsetCommit failed for group %s - %s": _RAISED,
    "OffsetCommit failed for group %s due to group error (%s), will rejoin": _RAISED,
    "OffsetCommit failed for group %s on partition %s with offset %s: %s": _RAISED,
    "Attempt to join group failed due to fatal error: %s": _RAISED,
    "Unexpected error in join group '%s' response: %s": _RAISED,
    "Unexpected error from SyncGroup: %s": _RAISED,
    "Failed to commit on finallization: %s": _DAILY,
    "No partition metadata for topic %s": Known(
        "a broker that has just come back; the group is assigned anew once it tells the partitions"
    ),
}  # fmt: skip


class ClientLines(logging.Filter):
    """Puts lines of the client into our words. `detailed`: lines that ours repeat are shown too."""

    def __init__(self, detailed: bool = False) -> None:
        super().__init__()
        self._detailed = detailed

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] != CLIENT_LOGGER or self._detailed:
            return True
        known = KNOWN.get(str(record.msg))
        if known is None:
            record.fields = {"detail": record.getMessage(), "logger": record.name}
            record.msg, record.args = "client", ()
            return True
        if known.event is None:
            return False
        args = record.args if isinstance(record.args, tuple) else ()
        record.fields = {"broker": known.broker.format(*args), "reason": known.reason.format(*args)}
        record.msg, record.args, record.exc_info = known.event, (), None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True
