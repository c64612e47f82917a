"""The garbage collector's settings, which belong to the whole process."""

import gc
from collections.abc import Iterator

import pytest

from streams.runtime import collector


@pytest.fixture(autouse=True)
def restored_collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_nothing_is_collected_while_state_is_restored() -> None:
    """Afterwards it is, also when restoring failed."""

    def restore() -> None:
        with collector.paused():
            assert not gc.isenabled()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        restore()
    assert gc.isenabled()


def test_the_restored_state_is_left_alone() -> None:
    """The collector does not look at it again, and seldom at what comes after it."""
    collector.after_restore()
    assert 0 < gc.get_freeze_count()
    assert collector.GC_THRESHOLD == gc.get_threshold()[0]
