"""Posts chosen transitions to a webhook: somebody has stalled on the way to the till, say, and another program wants to do something about it.

An agent like those of anybody's own (`streams.host`), so each transition is posted at least once. The header `Idempotency-Key: <id>:<rev>` is the
same each time; a receiver that remembers it acts once. Posts are made one after the other, so a receiver gets as many as it can take. One that
fails (5xx, no answer, too many requests) is tried again with growing pauses, and given up after `announce.retry_for`; one that is refused (any
other answer) is given up at once. What was given up is counted and said in the log by its id, never by person; nor is the address, which may be a
secret.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Literal, Self

import aiohttp
import msgspec
from structlog.typing import FilteringBoundLogger

from schemas import Transition
from streams.host.recent import Recent
from streams.settings.host import AnnounceSettings

FIRST_PAUSE_S, LONGEST_PAUSE_S = (
    0.5,
    30.0,
)  # then twice as long each time: a receiver that restarts misses little, one that is down is left alone
TRY_AGAIN = (408, 425, 429)  # of the answers that say it is our fault, those that say so for now
AGENT = "customer-journey-streams"

Outcome = Literal["posted", "refused", "given_up"]


def chosen(step: Transition, settings: AnnounceSettings) -> bool:
    """Whether a transition is one to post."""
    return (
        step.kind in settings.kinds
        and (not settings.moments or step.from_ in settings.moments)
        and (settings.corrections or step.op == "assert")
    )  # fmt: skip


def too_old(step: Transition, settings: AnnounceSettings, now_s: float) -> bool:
    """Whether it happened so long ago that nobody wants to hear of it now. `now_s`: seconds since 1970."""
    return now_s - datetime.fromisoformat(step.at).timestamp() > settings.max_age / 1000


class Webhook:
    """Where transitions go. An async context: the connections are kept while it is entered."""

    def __init__(self, settings: AnnounceSettings, lines: FilteringBoundLogger) -> None:
        assert settings.url is not None
        self.settings, self.lines = settings, lines
        self.count: Counter[Outcome] = Counter()
        self._url = settings.url.get_secret_value()
        self._recent = Recent()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout / 1000)
        self._session = aiohttp.ClientSession(
            timeout=timeout, headers={"Content-Type": "application/json", "User-Agent": AGENT}
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def take(self, step: Transition) -> None:
        """Posts it if it is chosen, recent, and not posted a moment ago. Returns when there is no more to be done about it."""
        if (
            not chosen(step, self.settings)
            or self._recent.knows(step.id, step.rev)
            or too_old(step, self.settings, time.time())
        ):
            return
        outcome, why, tries = await self._post(step)
        self.count[outcome] += 1
        if outcome != "posted":
            self.lines.error(
                "announce",
                outcome=outcome,
                id=step.id,
                rev=step.rev,
                reason=why,
                tries=tries,
                so_many=self.count[outcome],
            )
        self._recent.add(step.id, step.rev)

    async def _post(self, step: Transition) -> tuple[Outcome, str, int]:
        """The outcome, what the last answer was, and how often it was tried."""
        body, key = msgspec.json.encode(step), {"Idempotency-Key": f"{step.id}:{step.rev}"}
        give_up_s, pause_s, tries = time.monotonic() + self.settings.retry_for / 1000, FIRST_PAUSE_S, 0
        while True:
            tries += 1
            status, why = await self._try(body, key)
            if status is not None and 200 <= status < 300:
                return "posted", why, tries
            if status is not None and status < 500 and status not in TRY_AGAIN:
                return "refused", why, tries
            if time.monotonic() + pause_s > give_up_s:
                return "given_up", why, tries
            await asyncio.sleep(
                pause_s * random.uniform(0.5, 1)
            )  # workers that failed together do not come back together
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _try(self, body: bytes, key: dict[str, str]) -> tuple[int | None, str]:
        """The status of the answer, None if there was none; and the same in words."""
        assert self._session is not None
        try:
            # A redirect is an answer like others: who asked for posts to one address did not ask for posts to another.
            async with self._session.post(self._url, data=body, headers=key, allow_redirects=False) as answer:
                return answer.status, f"answer {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return None, type(error).__name__  # its text has the address in it


def agent(app: Any, transitions: Any, settings: AnnounceSettings) -> None:
    """Adds it to a Faust app."""

    async def announce(steps: AsyncIterator[Transition]) -> None:
        async with Webhook(settings, app.lines) as webhook:
            async for step in steps:
                await webhook.take(step)

    app.agent(transitions, name="announce")(announce)
