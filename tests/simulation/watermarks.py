"""The watermark of a partition, of its inputs and of the partitions that forward to it, item by item, as
docs/journeys.md has it.
"""

from collections.abc import Collection, Iterable

NEVER = -1


class Watermarks:
    """`of`: the watermark of each input; `own`: that of the partition."""

    def __init__(
        self, inputs: Iterable[str], peers: Iterable[int] = (), *, has_identity: bool = False
    ) -> None:
        """`peers`: the other partitions, if they send anything."""
        self._limit = NEVER if has_identity else None  # of the settled mark: it follows between batches
        self.of = dict.fromkeys(inputs, NEVER)
        self.own = NEVER
        self._peers = dict.fromkeys(peers, NEVER)
        self._of_peers = dict.fromkeys(peers, NEVER)  # their own, behind what they had sent
        self._idle: set[int] = set()
        self._ended: Collection[str] = ()

    def restart(self) -> None:
        """A worker that has just begun takes no other for idle."""
        self._idle.clear()

    def ended(self, sources: Collection[str]) -> None:
        """These sources have been read to their end."""
        self._ended = sources

    def read(self, source: str, at: int) -> None:
        """An item of an input, which is no rejection."""
        if at <= self.of[source]:
            return  # the watermark moves with the items that move their own input's
        self.of[source] = at
        self.own = max(self.own, min([at, *self._waited_for(source)]))

    def report(self, peer: int, reported: tuple[int, int], idle: bool) -> None:
        """Another partition says how far it has come, in its inputs and in all, and whether it has anything
        left to forward.
        """
        if peer in self._peers:
            self._peers[peer], self._of_peers[peer] = reported
            (self._idle.add if idle else self._idle.discard)(peer)

    def after(self) -> None:
        """Everything that one look at the sources has found was read."""
        waited_for = self._waited_for()
        self.own = max(
            self.own, min(waited_for) if waited_for else max(*self.of.values(), *self._peers.values(), NEVER)
        )
        if self._limit is not None:
            self._limit = min([self.own, *self._of_peers.values()])

    @property
    def settled(self) -> int:
        """The settled mark: with identity on, what is final goes by it."""
        return self.own if self._limit is None else min(self.own, self._limit)

    @property
    def inputs(self) -> int:
        """How far it has come in its own inputs: the least of those that were not read to their end."""
        waited_for = [ms for name, ms in self.of.items() if name not in self._ended]
        return min(waited_for) if waited_for else max(self.of.values())

    @property
    def greatest(self) -> int:
        """The watermark of the input that is furthest."""
        return max(self.of.values())

    def _waited_for(self, reading: str = "") -> list[int]:
        """The watermarks of the sources that may still deliver something old, the one that is read aside."""
        inputs = [ms for name, ms in self.of.items() if name != reading and name not in self._ended]
        return inputs + [ms for peer, ms in self._peers.items() if peer not in self._idle]
