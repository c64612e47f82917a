"""Takes redriven events that name a device alone: they go to whom the links say, unless they are so old that
the links of their time may be gone.

What is not older than the finality delay by the watermark can be moved by a link that is in time. So nothing
that is final lies behind it, whoever it belongs to, and nobody's finality has to wait for it.
"""

from streams.core.identity.device import GivenEvent, comes_before
from streams.core.identity.devices import Devices
from streams.core.identity.links import user_at
from streams.core.identity.moves import Give
from streams.core.journeys.folding import APPLIED, DUPLICATE, FINAL, is_copy
from streams.core.journeys.redriving import RedrivenEvent, holds_before, redrive_event
from streams.core.journeys.signal import TIME, Signal, is_same
from streams.records import Record


def redrive_device_event(
    devices: Devices, key: str, signal: Signal, source: Record | None = None
) -> RedrivenEvent:
    """Takes a redriven event of the device with this profile key. What is given to a user is among the moves
    that `Devices.decide` finds.

    Call it where everything that time has made due was done: nothing else of the open batch was taken.
    """
    population, device = devices.population, devices.get(key)
    if device is None:
        return redrive_event(population, key, signal, source)
    oldest_ms = _oldest_movable_ms(devices)
    is_old = signal.head >> TIME < oldest_ms
    known = (device.given or {}).get(signal.ref)
    if known is not None:
        copies = population.copies(signal)
        if not copies.from_ms <= known.signal.head >> TIME <= copies.to_ms:
            return RedrivenEvent(FINAL)  # another event of that id, which can still move
        if not comes_before(signal, known.signal):
            return RedrivenEvent(DUPLICATE)
        if is_old or known.signal.head >> TIME < oldest_ms:
            return RedrivenEvent(FINAL)
    user = None if is_old else user_at(device.links, signal.head >> TIME, devices.spans)
    if user is None:
        taken = redrive_event(population, key, signal, source)
        if taken.outcome not in (DUPLICATE, FINAL):
            devices.assign_event(device, signal.ref, None)
            if not is_old:  # else no link decides it
                devices.show_if_decided(device, (signal.head >> TIME,))
        return taken
    p = population.profiles.get(key)
    if known is None and p is not None:
        if is_copy(p, signal, population.copies(signal)):
            return RedrivenEvent(DUPLICATE)
        if holds_before(p, signal.ref, oldest_ms) or devices.make_room(p, signal, user) != APPLIED:
            return RedrivenEvent(FINAL)
    if known is None:
        devices.note_new(key, signal.ref)
    devices.assign_event(device, signal.ref, GivenEvent(signal, user))
    devices.show_if_decided(device, (signal.head >> TIME,))
    return RedrivenEvent(APPLIED, given_to=user)


def given_again(devices: Devices, key: str, signal: Signal) -> Give | None:
    """What a device gave before, to be given once more: its user may have had no room for it.

    None: it gave no such event, or one that is so old that it could be final by now.
    """
    device = devices.get(key)
    given = None if device is None or device.given is None else device.given.get(signal.ref)
    if (
        given is None
        or not is_same(given.signal, signal)
        or signal.head >> TIME < _oldest_movable_ms(devices)
    ):
        return None
    return Give(given.user, key, (given.signal,), is_new=True)


def user_given_to(devices: Devices, key: str, ref: bytes) -> str | None:
    """The user to whom a device gave an event, if that is known still."""
    device = devices.get(key)
    given = None if device is None or device.given is None else device.given.get(ref)
    return None if given is None else given.user


def _oldest_movable_ms(devices: Devices) -> int:
    return devices.population.watermark_ms - devices.population.finality.change_ms
