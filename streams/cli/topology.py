"""`streams topology`: which topics there are to read."""

from streams.cli.options import JsonOption
from streams.cli.screen import console, emit_line

FIELDS_SHOWN = ("name", "key", "value", "cleanup", "writer", "about")


def topology_command(json: JsonOption = False) -> None:
    """Shows every topic: what is in it, by which key, how long it is kept, and who writes it."""
    from streams.topology import KAFKA_TOPICS, PUBLISHED, TOPICS

    if json:
        import orjson

        report = [
            {name: getattr(topic, name) for name in FIELDS_SHOWN} | {"output": topic in PUBLISHED}
            for topic in (*TOPICS, *KAFKA_TOPICS)
        ]
        emit_line(orjson.dumps(report))
        return
    from streams.cli.render.topology import render

    console().print(render((*TOPICS, *KAFKA_TOPICS), PUBLISHED))
