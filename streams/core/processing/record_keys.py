"""The keys of output records that are about a person: how they are joined and split."""

SEPARATOR = "\x1f"  # between tenant, profile and need: ids and names have no control characters


def profile_key(tenant: str, profile: str) -> str:
    """The key of a profile: its name inside this program, and the key of its output records."""
    return f"{tenant}{SEPARATOR}{profile}" if tenant else profile


def split_profile_key(key: str) -> tuple[str | None, str]:
    """(tenant, profile) of a profile's key."""
    tenant, separator, profile = key.partition(SEPARATOR)
    return (tenant, profile) if separator else (None, key)


def current_key(key: str, need: str) -> bytes:
    """The key of a record of `<app>.current`."""
    return (f"{key}{SEPARATOR}{need}" if need else key).encode()
