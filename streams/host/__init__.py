"""What you write agents with: functions of your own that follow people's journeys as they are computed.

    from streams.host import app, transitions

    @app.agent(transitions)
    async def stalled(steps):
        async for step in steps:          # a schemas.Transition
            ...

`streams run --kafka ... --agents my_agents.py` runs this agent in each worker, beside the partition agents
that compute the journeys. `faust -A my_agents worker` does the same. docs/agents.md says what an agent can
rely on.

- `app`: the Faust app of this process. Its decorators `@app.agent` and `@app.timer` register your functions.
- `transitions`: a topic; an agent on it gets a `schemas.Transition` for every step of every journey,
  corrections included.
- `cues`: a topic; an agent on it gets a `schemas.Cue` for what happened inside a moment, corrections
  included.
- `current`: a topic; an agent on it gets a `schemas.Current` when a user's moment changes, and None when the
  user is forgotten. `async for key, value in stream.items()` gives the key, too: the user's id.
- `current_devices`: the same of devices on which nobody was signed in.
- `identities`: a topic; an agent on it gets a `schemas.Identity` when a device is somebody else's, and None
  when the device is forgotten.
- `journeys`: a topic; an agent on it gets a `schemas.JourneyRecord` or `schemas.RefundRecord` once it is
  final.
- `Recent`: remembers what your agent has processed. After a restart or when partitions move, some records
  come again.

The app is made when one of these names is first imported. It takes the settings of the command (`streams
run`), or else those of streams.toml and the environment.
"""

from typing import TYPE_CHECKING

from streams.host.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faust.types import ChannelT

    from schemas import Cue, Current, Identity, JourneyRecord, RefundRecord, Transition
    from streams.host.application import App
    from streams.settings.tables import Settings

    app: App
    transitions: ChannelT[Transition]
    cues: ChannelT[Cue]
    current: ChannelT[Current | None]
    current_devices: ChannelT[Current | None]
    identities: ChannelT[Identity | None]
    journeys: ChannelT[JourneyRecord | RefundRecord]

__all__ = [
    "Recent",
    "app",
    "cues",
    "current",
    "current_devices",
    "identities",
    "journeys",
    "make_app",
    "transitions",
]

_app: "App | None" = None  # of this process; Faust and users' files import it from here


def make_app(settings: "Settings", agents: "Sequence[str]" = ()) -> "App":
    """Makes the app of this process, with the agents of these files or modules, once. Raises ConfigError."""
    global _app
    from streams.host.agent_loader import load_agents
    from streams.host.application import App
    from streams.host.process import Process

    assert _app is None, "one process, one app"
    _app = App(Process(settings))
    try:
        for name in agents:
            load_agents(name, _app)
    except BaseException:
        _app = None
        raise
    return _app


def __getattr__(name: str) -> object:
    """`app` and its topics, made on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app = _app or _app_from_environment()
    return app if name == "app" else app.outputs[name]


def _app_from_environment() -> "App":
    """The app when `streams run` did not make it: most likely Faust's command imports it."""
    from streams.host.command import as_click_errors
    from streams.settings.loading import load_settings

    with as_click_errors():
        settings = load_settings()
        return make_app(settings, settings.agents)
