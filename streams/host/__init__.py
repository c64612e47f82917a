"""The Kafka deployment as a Faust app: `faust -A streams.host worker`, and what agents of your own are made with.

    from streams.host import app, transitions

    @app.agent(transitions)
    async def stalled(steps):
        async for step in steps:          # a schemas.Transition
            ...

`streams run --kafka ... --agents my_agents.py` and `faust -A my_agents worker` run them beside the partition agents, in the same process. The app is
made when it is first asked for, of the settings of this start: by the command, or from streams.toml and the environment.
"""

from typing import TYPE_CHECKING, Any

from streams.host.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faust.types import ChannelT

    from schemas import Current, JourneyRecord, RefundRecord, Transition
    from streams.host.application import App
    from streams.settings.tables import Settings

    app: App
    transitions: ChannelT[Transition]
    current: ChannelT[Current | None]  # None: forgotten; `async for key, value in stream.items()` says who
    journeys: ChannelT[JourneyRecord | RefundRecord]

__all__ = ["Recent", "app", "current", "journeys", "make", "transitions"]

_made: "App | None" = None


def make(settings: "Settings", agents: "Sequence[str]" = ()) -> "App":
    """The app of this process, with the agents of these files or modules. Raises ConfigError; may be called once."""
    global _made
    from streams.host.application import App
    from streams.host.extension import load

    assert _made is None, "one process, one app"
    _made = App(settings)
    try:
        for name in agents:
            load(name, _made)
    except BaseException:
        _made = None
        raise
    return _made


def __getattr__(name: str) -> Any:
    if name not in ("app", "transitions", "current", "journeys"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app = _made or _from_outside()
    return app if name == "app" else app.outputs[name]


def _from_outside() -> "App":
    """Somebody imports the app who was not started by `streams run`: Faust's command, most likely."""
    from streams.host.command import spoken
    from streams.settings.loading import load

    with spoken():
        settings = load()
        return make(settings, settings.agents)
