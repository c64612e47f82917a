"""The real command, `streams redrive`, that appends so many dead letters at a time, and says when it begins
to: `python -m tests.torture.command 3 redrive ...`. One that appends few, and is killed then, is often killed
half way. It looks at no receipts of other commands, so it sends what counts already once more.
"""

import sys
from collections.abc import Sequence

from streams.cli import main
from streams.log.kafka.log import KafkaLog
from streams.queries import redriving
from streams.records import Output

FEW, MANY = 3, 50  # at a time; of few, each waits for three brokers of a busy machine
SENDS = "it sends"  # on standard error

_send = KafkaLog.send


class NoReceipts(redriving.Receipts):
    """The receipts of an app, as if it had none of other commands."""

    def counts(self, letter: object) -> bool:
        """Nothing that it knows of."""
        return False


async def send(self: KafkaLog, messages: Sequence[Output]) -> None:
    """As the log does it."""
    print(SENDS, file=sys.stderr, flush=True)
    await _send(self, messages)


if __name__ == "__main__":
    redriving.SENT_AT_ONCE = int(sys.argv.pop(1))
    redriving.Receipts = NoReceipts  # type: ignore[misc]  # another class of that kind
    KafkaLog.send = send  # type: ignore[method-assign]  # likewise
    main()
