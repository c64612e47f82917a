"""What a cluster's errors mean: whether trying again can help, and what to do. There is one table, for
everyone who uses Kafka.

aiokafka raises some eighty kinds of errors, and most of them pass: a leader moves, a broker restarts, an
answer is lost. An error that does not pass must not be retried for ever, since nobody would learn of it. So
each of these is named here, with what to change.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import errors
from aiokafka.errors import KafkaError

from streams.errors import Refused, StreamsError, Unavailable


class Explained(NamedTuple):
    """What an error means to whoever runs the program."""

    permanent: bool  # it stays until somebody changes something
    detail: str


PERMANENT: dict[type[BaseException], str] = {
    errors.SaslAuthenticationFailed: (
        "the broker does not accept this name and password or token: see kafka.username, kafka.password or "
        "kafka.oauth"
    ),
    errors.AuthenticationFailedError: (
        "the broker does not accept this name and password or token: see kafka.username, kafka.password or "
        "kafka.oauth"
    ),
    errors.UnsupportedSaslMechanismError: (
        "the broker does not offer kafka.sasl_mechanism: take one that it offers"
    ),
    errors.IllegalSaslStateError: "the broker asks for another protocol: see kafka.security_protocol",
    errors.TopicAuthorizationFailedError: (
        "the right is missing to use topic {of}: inputs need Read, topics of the app Read, Write and "
        "Describe, and whoever makes them Create"
    ),
    errors.GroupAuthorizationFailedError: (
        "the right is missing to use group {of}: it needs Read on the group that is called like the app"
    ),
    errors.TransactionalIdAuthorizationFailed: (
        "the right is missing to use transactional id {of}: it needs Write and Describe on all transactional "
        "ids that begin with the app's name and - or ."
    ),
    errors.ClusterAuthorizationFailedError: (
        "a right on the cluster is missing: whoever makes topics needs Create; whoever writes needs "
        "IdempotentWrite, if brokers are older than 3.0"
    ),
    errors.MessageSizeTooLargeError: (
        "a record is larger than topic {of} takes: raise its max.message.bytes; `streams topics plan` says "
        "which are too small"
    ),
    errors.RecordTooLargeError: (
        "a record is larger than a client may send: raise max.message.bytes of topic {of} and report it"
    ),
    errors.RecordListTooLargeError: "a batch is larger than a segment of topic {of}: raise its segment.bytes",
    errors.InvalidTransactionTimeout: (
        "the brokers allow no transaction as long as ours: raise their transaction.max.timeout.ms"
    ),
    errors.InvalidTopicError: "{of} is not a valid name of a topic",
    errors.InvalidSessionTimeoutError: (
        "kafka.session_timeout is not between the brokers' group.min.session.timeout.ms and "
        "group.max.session.timeout.ms"
    ),
    errors.InconsistentGroupProtocolError: (
        "the group has members that are not workers of this app: is another program using its name?"
    ),
    errors.PolicyViolationError: "a policy of the cluster does not allow it",
    errors.InvalidConfigurationError: "the cluster does not allow a setting of the topic",
    errors.InvalidReplicationFactorError: (
        "the cluster has fewer brokers than replicas were asked for: see --replication"
    ),
    errors.SecurityDisabled: "the cluster has no security switched on, but was asked about it",
    errors.IncompatibleBrokerVersion: "the brokers are too old: Apache Kafka 2.5 or later is needed",
    errors.UnsupportedVersionError: "the brokers are too old: Apache Kafka 2.5 or later is needed",
    errors.UnsupportedCodecError: "kafka.compression cannot be used here",
    ssl.SSLCertVerificationError: (
        "the broker's certificate is not trusted: see kafka.ca_file, and call brokers by the names in "
        "their certificates"
    ),
}
PASSING: dict[type[BaseException], str] = {
    errors.UnknownTopicOrPartitionError: (
        "topic {of} does not exist: `streams topics apply` makes those of the app"
    ),
    errors.NotEnoughReplicasError: "fewer replicas of topic {of} are alive than its min.insync.replicas",
    errors.NotEnoughReplicasAfterAppendError: (
        "fewer replicas of topic {of} are alive than its min.insync.replicas"
    ),
    ssl.SSLError: (
        "no secure connection was made: is this the broker's port for SSL, and does it ask for a "
        "certificate (kafka.cert_file)?"
    ),
    TimeoutError: "no answer in time",
    errors.KafkaTimeoutError: "no answer in time",
    errors.RequestTimedOutError: "no answer in time",
}


def explained(error: BaseException, of: str | None = None) -> Explained:
    """What an error means. `of` is the topic that it is about, where the caller knows it better than the
    error.
    """
    if isinstance(error, StreamsError):  # explained before, by `failure`
        return Explained(not isinstance(error, Unavailable), str(error))
    chain = _chain(error)
    for table, permanent in ((PERMANENT, True), (PASSING, False)):
        for link in chain:
            for kind in type(link).__mro__:
                if kind in table:
                    text = table[kind].format(of=of or _about(link) or "(unnamed)").replace(" (unnamed)", "")
                    return Explained(permanent, f"{text} ({described(link)})")
    return Explained(False, described(error))


def failure(what: str, error: BaseException, of: str | None = None) -> StreamsError:
    """The error to raise: Refused where trying again cannot help, Unavailable where it can. Its message
    begins with `what`.
    """
    permanent, detail = explained(error, of)
    return (Refused if permanent else Unavailable)(f"{what}: {detail}")


@asynccontextmanager
async def cluster_errors(what: str, timeout_s: float | None = None) -> AsyncIterator[None]:
    """Turns every error of the cluster, and no answer in time, into Refused or Unavailable, whose messages
    begin with `what`.
    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise failure(what, error) from error


def described(error: BaseException) -> str:
    """The name of an error and its own text."""
    name, text = type(error).__name__, str(error)
    return text if name in text else f"{name}: {text}" if text else name


def _chain(error: BaseException) -> list[BaseException]:
    """An error and what caused it: aiokafka wraps some errors in a KafkaError without a text."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__
    return chain


def _about(error: BaseException) -> str:
    """The topics, group or id that an error is about: aiokafka's argument, or the `topic` that our writer has
    added.
    """
    if isinstance(topic := getattr(error, "topic", None), str):
        return topic
    given = error.args[0] if error.args else None
    if isinstance(given, set | frozenset | list | tuple):
        return ", ".join(sorted(map(str, given)))
    return (
        given
        if isinstance(given, str) and isinstance(error, errors.BrokerResponseError) and " " not in given
        else ""
    )
