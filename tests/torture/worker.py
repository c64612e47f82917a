"""The real command, with a bug in it if one is named: `python -m
tests.torture.worker BUG|- run --kafka ...`.
"""

import sys

from tests.torture.bugs import BUGS


def main() -> None:
    """Plants before anything of the product is imported."""
    name = sys.argv.pop(1)
    if name != "-":
        from tests.planted.planting import plant

        plant(BUGS[name])
    from streams.cli import main as streams

    streams()


if __name__ == "__main__":
    main()
