"""Writes down anew what consumers see of the golden input: `make golden`.

Read the difference before you commit it.
"""

import asyncio

from tests.golden_topics import pages, records, run

if __name__ == "__main__":
    for path, text in pages(asyncio.run(run(records()))):
        path.write_text(text, encoding="utf-8")
        print(f"{len(text.splitlines()):6d} records  tests/golden_topics/{path.name}")
