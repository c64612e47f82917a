"""What several tests of commands ask: a data directory with a few events in it."""

from pathlib import Path

import pytest

from tests.cli.running import SMALL, streams, write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a few events in it."""
    assert (
        0
        == streams(
            "replay", write(tmp_path / "small.jsonl", SMALL), "--data-dir", tmp_path / "data"
        ).exit_code
    )
    return tmp_path / "data"
