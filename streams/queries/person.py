"""Whom a question is about: somebody by the name that a person has typed."""

from typing import NamedTuple

from streams.core.ingest.partition import partition_of
from streams.core.processing.record_keys import person_key, profile_key

PROFILE_PREFIXES = ("u:", "d:")


class Person(NamedTuple):
    """A name with `u:` or `d:` before it is a user or a device; one without is looked for as both. An id may
    itself begin with such a prefix: everybody whom the name fits is meant.
    """

    name: str
    tenant: str | None = None  # None: in any tenant

    @property
    def profiles(self) -> frozenset[str]:
        """The profiles that the name may stand for."""
        given = [self.name] if self.name.startswith(PROFILE_PREFIXES) else []
        return frozenset([*given, *(prefix + self.name for prefix in PROFILE_PREFIXES)])

    @property
    def ids(self) -> frozenset[bytes]:
        """The bare ids of these."""
        return frozenset(profile[2:].encode() for profile in self.profiles)

    def has(self, tenant: str | None, profile: str) -> bool:
        """True if this profile is meant."""
        return profile in self.profiles and self.tenant in (None, tenant)

    def owners(self, partitions: int, *, has_tenants: bool) -> frozenset[int]:
        """The partitions that own somebody who is meant; all, where there are tenants and none is named."""
        if has_tenants and self.tenant is None:
            return frozenset(range(partitions))
        tenant = self.tenant or ""
        keys = {person_key(profile_key(tenant, profile)) for profile in self.profiles}
        return frozenset(partition_of(key, partitions) for key in keys)
