"""Every test that asks for `new_store` runs once per adapter."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import pytest

from streams.log.port import Log
from streams.log.tail import TailPosition
from tests.contract.adapters import ADAPTERS, COMPACTIONS, EMBEDDED, Store, need


class NewStore(Protocol):
    """Makes an empty store of so many partitions."""

    def __call__(self, partitions: int = 1) -> Store: ...


@pytest.fixture(params=sorted(ADAPTERS))
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    need(request.param)

    def new(partitions: int = 1) -> Store:
        return ADAPTERS[request.param](tmp_path, partitions)

    return new


Compact = Callable[[Log, str, int, TailPosition], Awaitable[TailPosition]]


@pytest.fixture
def sleep_through_compaction(request: pytest.FixtureRequest) -> Compact:
    """The one of the adapter that `new_store` runs with."""
    return COMPACTIONS[request.node.callspec.params["new_store"]]


@pytest.fixture(params=sorted(EMBEDDED))
def new_embedded_store(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    def new(partitions: int = 1) -> Store:
        return ADAPTERS[request.param](tmp_path, partitions)

    return new
