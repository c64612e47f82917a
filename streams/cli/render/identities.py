"""Whose devices are, in words."""

import msgspec
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from schemas import Cue, Identity, Transition
from streams.cli.screen import plural, time_text
from streams.queries.identities import DeviceSummary


def render_identity(identity: Identity) -> str:
    """Whose a device is, since when, and by which event."""
    device = f"[bold]d:{escape(identity.device)}[/]" + _of(identity.tenant)
    if identity.person is None or identity.since is None or identity.event is None:
        users = plural(identity.users, "user")
        return f"{device} is shared by {users}: what is done there without one is its own"
    return (
        f"{device} belongs to [bold]{escape(identity.person)}[/] since {time_text(identity.since)}, "
        f"by event {escape(identity.event)}"
    )


def on_device(record: Transition | Cue) -> str:
    """Which device gave the event of a step or a cue."""
    return "" if record.device is msgspec.UNSET else f" on {escape(record.device)}"


def render_counts(found: DeviceSummary) -> str:
    """How many devices are somebody's."""
    return (
        f"[bold]{found.linked:,}[/] devices belong to [bold]{found.people:,}[/] people, "
        f"[yellow]{found.shared:,} shared[/]"
    )


def render_busiest(found: DeviceSummary) -> RenderableType:
    """The devices with the most users, and the users with the most devices."""
    devices = _table("device", "users", "")
    for identity in found.most_users:
        state = "shared" if identity.shared else f"belongs to {identity.person}"
        devices.add_row(
            f"d:{escape(identity.device)}{_of(identity.tenant)}", f"{identity.users:,}", escape(state)
        )
    people = _table("user", "devices")
    for busy in found.most_devices:
        people.add_row(f"{escape(busy.person)}{_of(busy.tenant)}", f"{busy.devices:,}")
    return Group("", devices, "", people)


def _table(name: str, count: str, *more: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(name, overflow="fold")
    table.add_column(count, justify="right")
    for heading in more:
        table.add_column(heading, overflow="fold")
    return table


def _of(tenant: str | None) -> str:
    return f" of {escape(tenant)}" if tenant else ""
