"""The inputs of an app that are read no more, because their offsets mean nothing any more.

A topic that was deleted and made anew has other records under the same offsets. Whoever read on from the old
position would leave out what lies before it, without a word. So such an input is stopped, in all partitions,
and everything else goes on.
"""


class StoppedInputs:
    """Which inputs are stopped, and why. The sessions of a log share one; it only grows."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}  # by topic
        self.known_ids: dict[str, str] = {}  # by topic: the id that it has in the record of the app

    def stop(self, topic: str, reason: str) -> None:
        """Stops an input. The first reason stays."""
        self.reasons.setdefault(topic, reason)


def made_anew(id_before: str, id_now: str) -> str:
    """Why a topic that has another id than before is read no more."""
    return f"its id is {id_now}, and was {id_before}: it was deleted and made anew"
