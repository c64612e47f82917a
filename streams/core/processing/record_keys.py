"""The key of a profile inside this program, and the key of the records about its person."""

SEPARATOR = "\x1f"  # between a tenant and what follows: ids and names have no control characters
_SEPARATOR = SEPARATOR.encode()
_DEVICE = "d"  # the first letter of a device's profile


def profile_key(tenant: str, profile: str) -> str:
    """The key of a profile: its name inside this program."""
    return f"{tenant}{SEPARATOR}{profile}" if tenant else profile


def split_profile_key(key: str) -> tuple[str | None, str]:
    """(tenant, profile) of a profile's key."""
    tenant, separator, profile = key.partition(SEPARATOR)
    return (tenant, profile) if separator else (None, key)


def is_device(key: str) -> bool:
    """True if the profile with this key is a device: nobody was signed in."""
    return key[key.find(SEPARATOR) + 1] == _DEVICE


def person_key(key: str) -> bytes:
    """The record key of the profile with this key: the bare id, with its tenant and U+001F before it.

    The hash of these very bytes chooses the owner partition. So the outputs join with any topic that is keyed
    by the same ids. A user and a device with the same id have the same record key.
    """
    if SEPARATOR not in key:
        return key[2:].encode()
    tenant, separator, profile = key.partition(SEPARATOR)
    return f"{tenant}{separator}{profile[2:]}".encode()


def bare_id(key: bytes) -> bytes:
    """The bare id in a record key."""
    return key.rpartition(_SEPARATOR)[2]


def split_person_key(key: bytes) -> tuple[str | None, str]:
    """(tenant, bare id) of a record key."""
    tenant, separator, person = key.decode().rpartition(SEPARATOR)
    return (tenant if separator else None), person
