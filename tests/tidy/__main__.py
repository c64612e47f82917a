"""Prints what the rules find: `python -m tests.tidy`, or for some folders or files, `python -m tests.tidy
streams/host`.
"""

import sys

from tests.tidy.rules import RULES
from tests.tidy.source import product

if __name__ == "__main__":
    wanted = tuple(argument.rstrip("/") for argument in sys.argv[1:])
    sources = product()
    found = {
        rule: [finding for finding in check(sources) if not wanted or finding.path.startswith(wanted)]
        for rule, check in RULES.items()
    }
    for rule, findings in found.items():
        if findings:
            print(f"== {rule}: {len(findings)}")
            print(*findings, sep="\n")
    sys.exit(any(found.values()))
