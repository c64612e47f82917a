"""Posts chosen transitions to a webhook, so that another program can act on a person who stalled, say.

This is an agent like a user's own (`streams.host`), so each transition is posted at least once. The header
`Idempotency-Key: <id>:<rev>` is the same each time; a receiver that remembers it acts once. Posts are made
one after the other, so a receiver sets the pace. A post that fails (5xx, no answer, too many requests) is
retried with growing pauses and given up after `announce.retry_for`; one that is refused (any other answer) is
given up at once. Each is held back for `announce.hold` first, and dropped if its person converts meanwhile:
`held_steps.py`. The log names a given-up transition by its id, never by its person, and never shows the
address or a header, which may be secrets.

What was published before announce was turned on is not posted: `announce_start.py`.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterable
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol, Self, cast

import aiohttp
import msgspec
from faust.types import EventT, Message, StreamT, TopicT
from structlog.typing import FilteringBoundLogger

from schemas import Transition
from streams.backoff import Backoff
from streams.clock import Clock
from streams.errors import ConfigError
from streams.host.announce_start import AnnounceStart
from streams.host.faust_agents import AgentStream
from streams.host.held_steps import HeldSteps
from streams.host.process import ProcessApp
from streams.host.recent import Recent
from streams.settings.body_template import BodyTemplate
from streams.settings.host import AnnounceSettings
from streams.settings.tables import Settings

FIRST_RETRY_S = 0.5  # a receiver that restarts is soon tried again
LONGEST_RETRY_S = 30.0  # a receiver that is down is left alone
RETRIED_STATUSES = (408, 425, 429)  # client errors that may pass; others are final
USER_AGENT = "customer-journey-streams"
ANNOUNCE = "announce"  # the agent's name

PostOutcome = Literal["posted", "refused", "given_up"]


def is_chosen(step: Transition, settings: AnnounceSettings) -> bool:
    """Whether the settings choose this transition. What a moved event makes true is no news: it may be weeks
    old.
    """
    return (
        step.kind in settings.kinds
        and (not settings.moments or step.from_ in settings.moments)
        and (step.moved_from is msgspec.UNSET if step.op == "assert" else settings.corrections)
    )  # fmt: skip


def is_too_old(step: Transition, settings: AnnounceSettings, now_ms: int) -> bool:
    """Whether the transition happened longer than `announce.max_age` before `now_ms`."""
    return now_ms - datetime.fromisoformat(step.at).timestamp() * 1000 > settings.max_age


class Posted(NamedTuple):
    """What became of a post."""

    outcome: PostOutcome
    reason: str  # the last answer, without the address
    tries: int


class Webhook:
    """Where transitions are posted. As an async context it holds the connections."""

    def __init__(self, settings: AnnounceSettings, logger: FilteringBoundLogger, clock: Clock) -> None:
        assert settings.url is not None
        self.settings, self.logger, self.clock = settings, logger, clock
        self.totals: Counter[PostOutcome] = Counter()
        self._url = settings.url.get_secret_value()
        self._headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        self._template = None if settings.template is None else BodyTemplate(settings.template)
        self._recent = Recent()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self.settings.timeout / 1000),
            headers={"Content-Type": "application/json", "User-Agent": USER_AGENT, **self._headers},
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def take(self, step: Transition) -> None:
        """Posts a transition if it is chosen, recent and new here. Returns when it is posted or given up."""
        if (
            not is_chosen(step, self.settings)
            or self._recent.knows(step.id, step.rev)
            or is_too_old(step, self.settings, self.clock.wall_ms())
        ):
            return
        outcome, reason, tries = await self._post(step)
        self.totals[outcome] += 1
        if outcome != "posted":
            self.logger.error(
                "announce",
                outcome=outcome,
                id=step.id,
                rev=step.rev,
                reason=reason,
                tries=tries,
                total=self.totals[outcome],
            )
        self._recent.add(step.id, step.rev)

    async def _post(self, step: Transition) -> Posted:
        """Posts until the receiver accepts or refuses, or the time is up."""
        body = msgspec.json.encode(step) if self._template is None else self._template.body(step)
        headers = {"Idempotency-Key": f"{step.id}:{step.rev}"}
        backoff = Backoff(first_s=FIRST_RETRY_S, longest_s=LONGEST_RETRY_S)
        give_up_s = self.clock.monotonic_s() + self.settings.retry_for / 1000
        for tries in itertools.count(1):
            status, reason = await self._try(body, headers)
            if status is not None and 200 <= status < 300:
                return Posted("posted", reason, tries)
            if status is not None and status < 500 and status not in RETRIED_STATUSES:
                return Posted("refused", reason, tries)
            pause_s = backoff.next_s()
            if self.clock.monotonic_s() + pause_s > give_up_s:
                break
            await asyncio.sleep(pause_s)
        return Posted("given_up", reason, tries)

    async def _try(self, body: bytes, headers: dict[str, str]) -> tuple[int | None, str]:
        """The status of the answer, None if there was none, and the answer in words."""
        assert self._session is not None
        try:
            # A redirect counts as an answer: the user asked for posts to this address and no other.
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status, f"answer {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return None, type(error).__name__  # its text contains the address


def add_announce_agent(app: ProcessApp, transitions: TopicT, begins: AnnounceStart) -> None:
    """Adds the agent to an app. Raises ConfigError for a template that names no dimension of the settings."""
    process = app.process
    check_dimensions(process.settings)

    async def announce(steps: StreamT[Transition]) -> None:
        async with Webhook(process.settings.announce, process.logger, process.clock) as webhook:
            stream = cast(AgentStream, cast(AgentStream, steps).noack())
            await post_steps(stream, webhook, begins)

    app.agent(transitions, name=ANNOUNCE)(announce)


class StepStream(Protocol):
    """What is needed of a stream whose records are marked as done one by one."""

    def events(self) -> AsyncIterable[EventT[Any]]:
        """The records in order, for ever; it ends when the agent is to stop."""

    async def ack(self, event: EventT[Any]) -> bool:
        """Marks a record as done."""

    def is_current(self, message: Message) -> bool:
        """Whether a record that waited is still this worker's."""


async def post_steps(stream: StepStream, webhook: Webhook, begins: AnnounceStart) -> None:
    """Posts the steps of a stream once they were held back. A step is done when it is posted or dropped.

    `stream`: one without acknowledgements of its own.
    """
    clock, settings = webhook.clock, webhook.settings
    held: HeldSteps[EventT[Any]] = HeldSteps(settings.hold / 1000)
    events = aiter(stream.events())
    reading: asyncio.Future[EventT[Any]] | None = None
    try:
        while True:
            if reading is None and not held.is_full:
                reading = asyncio.ensure_future(anext(events))
            wait_s = held.wait_s(clock.monotonic_s())
            if reading is None:
                await asyncio.sleep(wait_s or 0)
            else:
                await asyncio.wait({reading}, timeout=wait_s)
            if reading is not None and reading.done():
                try:
                    event = reading.result()
                except StopAsyncIteration:  # the agent is to stop: what is held back comes again
                    return
                reading, step = None, cast(Transition, event.value)
                for done in held.drop_untrue(step):
                    await stream.ack(done)
                is_old = begins.is_old(event.message.partition, event.message.offset)
                if is_old or not is_chosen(step, settings):
                    await stream.ack(event)
                else:
                    held.add(step, event, clock.monotonic_s())
            if (due := held.pop_due(clock.monotonic_s())) is not None:
                if stream.is_current(due.token.message):
                    await webhook.take(due.step)
                await stream.ack(due.token)
    finally:
        if reading is not None:
            reading.cancel()


def check_dimensions(settings: Settings) -> None:
    """Raises ConfigError if `announce.template` names a dimension that is not in the settings."""
    template = settings.announce.template
    if template is None:
        return
    for name in BodyTemplate(template).dimensions:
        if name not in settings.dimensions:
            raise ConfigError(
                f"announce.template = {template!r}: there is no dimension {name}: there are "
                f"{', '.join(settings.dimensions)}"
            )
