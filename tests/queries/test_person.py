"""The partitions that can own somebody follow from the name, and from the tenant where there are tenants."""

import pytest

from streams.core.ingest.partition import partition_of
from streams.queries.person import Person

PARTITIONS = 64


@pytest.mark.parametrize(
    ("name", "tenant", "keys"),
    [
        ("ann", None, ["ann"]),
        ("u:ann", None, ["ann", "u:ann"]),  # the id of somebody else may be `u:ann`
        ("ann", "x", ["x\x1fann"]),
        ("d:ann", "x", ["x\x1fann", "x\x1fd:ann"]),
    ],
)
def test_owners(name: str, tenant: str | None, keys: list[str]) -> None:
    """One partition for each record key that the name may stand for."""
    found = Person(name, tenant).owners(PARTITIONS, has_tenants=tenant is not None)
    assert {partition_of(key.encode(), PARTITIONS) for key in keys} == found


def test_a_tenant_that_is_not_named() -> None:
    """Anybody of this name is meant, and they may be anywhere."""
    assert set(range(PARTITIONS)) == Person("ann").owners(PARTITIONS, has_tenants=True)
