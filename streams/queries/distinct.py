"""Counts different texts in bounded memory: exactly while there are not too many, else nearly so.

Of all hashes the smallest are kept. How small the largest of them is says how many there are.
"""

import heapq
from hashlib import blake2b

MAX_HASHES = 100_000  # some 10 MB; beyond it the count is right to about 0.3 %
HASH_BITS = 64


class DistinctCounter:
    """How many different texts were added."""

    def __init__(self, most: int = MAX_HASHES) -> None:
        self._most = most
        self._held: set[int] = set()
        self._largest_first: list[int] = []  # the same hashes, as a heap of their negatives

    def add(self, text: str) -> None:
        """Adds a text."""
        raw = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BITS // 8).digest()
        hashed = int.from_bytes(raw, "big")
        if hashed in self._held:
            return
        if len(self._held) < self._most:
            heapq.heappush(self._largest_first, -hashed)
        elif hashed < -self._largest_first[0]:
            self._held.remove(-heapq.heapreplace(self._largest_first, -hashed))
        else:
            return
        self._held.add(hashed)

    @property
    def is_exact(self) -> bool:
        """True while all are held."""
        return len(self._held) < self._most

    @property
    def count(self) -> int:
        """How many there are."""
        if self.is_exact:
            return len(self._held)
        return round((self._most - 1) / (-self._largest_first[0] / (1 << HASH_BITS)))
