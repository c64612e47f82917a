"""Asks a worker over HTTP what it holds of a person."""

import aiohttp
import msgspec

from streams.queries.held_persons import PERSONS_PATH, OwnerUnavailable, PersonAnswer, PersonQuestion

# A worker gives up sooner (`streams.host.person_desk`), also one that has forwarded the question.
ANSWERED_S = 4.0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PersonAnswer).decode


class WorkerClient:
    """Asks workers. Its connections are kept for the next question: close it at the end."""

    def __init__(self, token: str | None) -> None:
        """`token`: the setting `web.token`; None: workers on this machine need none."""
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, address: str, question: PersonQuestion) -> PersonAnswer:
        """The answer of the worker at `address`, HOST:PORT. Raises OwnerUnavailable."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=ANSWERED_S)
            self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        url = f"http://{address}{PERSONS_PATH}"
        try:
            async with self._session.post(url, data=_encode(question), allow_redirects=False) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise OwnerUnavailable(
                f"the worker at {address} does not answer ({type(error).__name__})"
            ) from error
        if answer.status in (401, 403):
            raise OwnerUnavailable(
                f"the worker at {address} refuses: web.token must be the same here and there"
            )
        if answer.status != 200:
            text = body.decode(errors="replace") if answer.status == 503 else f"status {answer.status}"
            raise OwnerUnavailable(f"the worker at {address} cannot answer now: {text}")
        try:
            return _decode(body)
        except msgspec.DecodeError as error:
            raise OwnerUnavailable(f"the answer of the worker at {address} cannot be read") from error

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
