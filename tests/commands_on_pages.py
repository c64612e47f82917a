"""The commands that our pages tell people to type, as they stand there."""

import re
from pathlib import Path

from docs.generate import HERE

PAGES = (HERE.parent / "README.md", *sorted(HERE.glob("*.md")))
PROGRAMS = ("streams", ".venv/bin/streams", "faust", "kafka-", "docker", "curl")
GENERATED = ("cli.md",)  # its blocks are what the program prints about itself


def commands(page: Path) -> list[str]:
    """The commands in the blocks of a page, each on one line, without comments."""
    text = page.read_text("utf-8")
    blocks = [re.sub(r"^ +", "", block, flags=re.MULTILINE) for block in _blocks(text)]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = [re.sub(r"\s+", " ", line.partition(" # ")[0]).strip() for line in lines]
    return [line for line in found if line.startswith(PROGRAMS)]


def _blocks(text: str) -> list[str]:
    """What is in fences without a language, and what is indented by four spaces."""
    blocks: list[str] = []
    fence: str | None = None  # the language of the block that a line is in
    for line in text.splitlines():
        mark = re.fullmatch(r" *```(\w*)", line)
        if mark is not None:
            fence = mark[1] if fence is None else None
            blocks.append("")
        elif fence == "" or (fence is None and re.match(r" {4}\S", line)):
            blocks[-1:] = ["\n".join([*blocks[-1:], line])]
    return blocks


ALL = [command for page in PAGES if page.name not in GENERATED for command in commands(page)]


def command(begin: str, **placed: str) -> list[str]:
    """The words of the one command that begins so; `placed`: words, with what a test has in their place."""
    (found,) = {one for one in ALL if one.startswith(begin)}
    for word, value in placed.items():
        assert word in found, (word, found)
        found = found.replace(word, value)
    return found.split()
