"""The files that put the program into containers, as their readers see them."""

import gzip
import json
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads(
    gzip.decompress(Path(__file__).with_name("compose-spec.json.gz").read_bytes())
)
OURS = "customer-journey-streams"


class Instruction(NamedTuple):
    """One of a Dockerfile."""

    word: str
    rest: str


def compose() -> dict[str, Any]:
    """docker-compose.yml, anchors followed."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return found


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def ours() -> dict[str, dict[str, Any]]:
    """The services that run this program."""
    return {name: service for name, service in services().items() if service["image"].startswith(OURS)}


def kubernetes() -> list[dict[str, Any]]:
    """The objects of the example manifest."""
    return list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text("utf-8")))


def stages() -> list[list[Instruction]]:
    """The Dockerfile: per stage its instructions, FROM first, lines joined, comments gone."""
    lines = [
        line
        for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found: list[list[Instruction]] = []
    for line in joined.splitlines():
        instruction = Instruction(*line.split(" ", 1))
        if instruction.word == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def words(value: str | list[str]) -> list[str]:
    """A command in either of Compose's forms."""
    return shlex.split(value) if isinstance(value, str) else value


def seconds(duration: str) -> float:
    """Of Compose's durations, those that this project writes: 90s, 2m."""
    match = re.fullmatch(r"(\d+)(s|m)", duration)
    assert match, duration
    return int(match[1]) * {"s": 1, "m": 60}[match[2]]
