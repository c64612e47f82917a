"""Whom a question is about: somebody by the name that a person has typed."""

from collections.abc import Sequence
from typing import NamedTuple

from streams.core.ingest.partition import partition_of
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.record_keys import person_key, profile_key
from streams.errors import ConfigError, InputError
from streams.settings.fold import FoldSettings

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


def fold_settings_for(person: Person, checkpoints: Sequence[Checkpoint]) -> FoldSettings:
    """The fold settings of the log in which the person is looked for, from its checkpoints.

    Raises InputError if nothing was processed yet, ConfigError for a tenant where there are none.
    """
    if not checkpoints:
        raise InputError("nothing has been processed yet: there is nothing to ask about")
    settings = FoldSettings.model_validate_json(checkpoints[0].fold)
    if person.tenant is not None and settings.tenant is None:
        raise ConfigError(
            f"--tenant {person.tenant}: there are no tenants here (the setting `tenant` is not set)"
        )
    return settings
