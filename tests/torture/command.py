"""The real command, `streams redrive`, that appends a few dead letters at a time: so one that is killed is
often killed half way.
"""

import streams.queries.redriving
from streams.cli import main

SENT_AT_ONCE = 3

if __name__ == "__main__":
    streams.queries.redriving.SENT_AT_ONCE = SENT_AT_ONCE
    main()
