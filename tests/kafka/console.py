"""Kafka's own command line tools, as our pages name them, run from the jars that the shell scripts run."""

import subprocess
from pathlib import Path

from tests.kafka.broker import without
from tests.kafka.nodes import CACHE, Missing, fetched, needs_java

TOOLS = "org.apache.kafka.tools"
CLASSES = {
    "kafka-console-consumer": f"{TOOLS}.consumer.ConsoleConsumer",
    "kafka-transactions": f"{TOOLS}.TransactionsCommand",
    "kafka-log-dirs": f"{TOOLS}.LogDirsCommand",
    "kafka-acls": f"{TOOLS}.AclCommand",
}
TIMEOUT_S = 120  # of a tool that takes two seconds, on a machine that is busy


def console(*words: str) -> str:
    """What a tool prints on standard output; it must succeed. Ends the test where there is no Java."""
    try:
        needs_java()
        jars = fetched(Path(__file__).parent / "tools" / "pom.xml", CACHE.with_name(f"{CACHE.name}-tools"))
    except Missing as why:
        without(why)
    done = subprocess.run(
        ["java", "-Xmx128m", "-cp", f"{jars}/*", CLASSES[words[0]], *words[1:]],
        capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
