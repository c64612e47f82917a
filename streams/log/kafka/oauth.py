"""Gets tokens for brokers that ask for them from a function of the user's."""

import asyncio
import inspect
from collections.abc import Callable

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

TOKEN_TIMEOUT_S = 8  # as long as any request may take


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Calls the function whenever a connection is made, in a thread unless it is async. The function may keep
    a token while it is valid.
    """

    def __init__(self, function: Callable[[], object], name: str) -> None:
        self._function, self._name = function, name

    async def token(self) -> str:
        """A token. Any failure counts as no answer from the cluster: it is tried again, and the message names
        the function.
        """
        try:
            async with asyncio.timeout(TOKEN_TIMEOUT_S):
                if inspect.iscoroutinefunction(self._function):
                    given = await self._function()
                else:
                    given = await asyncio.to_thread(self._function)
                    if inspect.isawaitable(given):
                        given = await given
        except Exception as error:
            raise KafkaConnectionError(
                f"kafka.oauth = {self._name} gave no token: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(given, str) or not given:
            raise KafkaConnectionError(
                f"kafka.oauth = {self._name} gave no token: it must be text that is not empty, but was "
                f"{type(given).__name__}"
            )
        return given
