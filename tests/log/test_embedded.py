"""What the embedded logs promise beyond the contract: a fenced session learns of
it when it looks, not only when it writes.
"""

from pathlib import Path

import pytest

from streams.errors import Fenced
from tests.contract.adapters import ADAPTERS
from tests.contract.looking import fill, read, restored


@pytest.mark.parametrize("adapter", ["memory", "sqlite"])
async def test_a_fenced_session_cannot_read_or_restore(adapter: str, tmp_path: Path) -> None:
    """Also when it has records at hand from the read before."""
    log = ADAPTERS[adapter](tmp_path, 1)()
    await fill(log, [b"a", b"b"])
    first = await log.open(0)
    await read(first, 0, 1)
    await log.open(0)
    with pytest.raises(Fenced):
        await read(first, 1, 1)
    with pytest.raises(Fenced):
        await restored(first)
    await log.close()
