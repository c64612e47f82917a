"""The profiles that a partition holds in memory. How they are held is known in this file only."""

from collections.abc import Iterator

from streams.core.journeys.profile import Profile


class Profiles:
    """All profiles of a partition, by key."""

    def __init__(self) -> None:
        self._by_key: dict[str, Profile] = {}
        # The methods of the dict itself: they are called for every event.
        self.get, self.count = self._by_key.get, self._by_key.__len__

    def put(self, profile: Profile) -> None:
        """Adds a profile, or replaces the one with its key."""
        self._by_key[profile.key] = profile

    def drop(self, key: str) -> None:
        """Removes a profile. Raises KeyError when there is none with this key."""
        del self._by_key[key]

    def armed(self) -> list[tuple[int, str]]:
        """(deadline in ms, key) of every profile whose timer is set, in no order."""
        return [(p.armed_ms, p.key) for p in self._by_key.values() if p.armed_ms >= 0]

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._by_key.values())
