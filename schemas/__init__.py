"""The wire contract: one type per output topic. Consumers need nothing else of this program.

All values are JSON (UTF-8). Times are RFC 3339 in UTC with milliseconds. A minor version may add a field, so
a consumer must ignore fields that it does not know. Only a major version may remove a field or change what it
means. docs/contract.md says what is promised.
"""

from schemas.canonical_event import CanonicalEvent
from schemas.cue import Cue
from schemas.current import Current, CurrentNeed
from schemas.dead_letters import LateHeaders, RejectedHeaders
from schemas.funnel import FunnelTotal
from schemas.identity import Identity
from schemas.journey import JourneyRecord, RefundRecord
from schemas.kinds import CueName, Kind, Moment, Outcome, Unmatched
from schemas.progress import JourneysUnderWay, OpenMoment, PartitionProgress, SourceProgress
from schemas.receipt import MovedCounter, Receipt
from schemas.tally import Tally
from schemas.transition import Transition, TransitionHeaders

# The version of this contract, major.minor. docs/contract.md says when it is raised; `history` and `examples`
# keep every version.
VERSION = "1.0"

__all__ = [
    "VERSION",
    "CanonicalEvent",
    "Cue",
    "CueName",
    "Current",
    "CurrentNeed",
    "FunnelTotal",
    "Identity",
    "JourneyRecord",
    "JourneysUnderWay",
    "Kind",
    "LateHeaders",
    "Moment",
    "MovedCounter",
    "OpenMoment",
    "Outcome",
    "PartitionProgress",
    "Receipt",
    "RefundRecord",
    "RejectedHeaders",
    "SourceProgress",
    "Tally",
    "Transition",
    "TransitionHeaders",
    "Unmatched",
]
