"""The host's end of the serial link: a device that runs the network, behind any transport.

A session is::

    with Device(SerialTransport("/dev/ttyUSB1", 1_000_000)) as device:
        device.reset()
        z = device.run(x_codes)
"""

from autapse.link.check import DeviceCheck, check_device, random_inputs
from autapse.link.device import Device
from autapse.link.difference import Difference
from autapse.link.emulator import EmulatedDevice, EmulatedTransport
from autapse.link.errors import DeviceResetError, NoAnswerError, NotLoadedError, SessionTakenError, TransportError
from autapse.link.model import ModelNetwork
from autapse.link.transport import SerialTransport, Transport

__all__ = [
    "Device",
    "DeviceCheck",
    "DeviceResetError",
    "Difference",
    "EmulatedDevice",
    "EmulatedTransport",
    "ModelNetwork",
    "NoAnswerError",
    "NotLoadedError",
    "SerialTransport",
    "SessionTakenError",
    "Transport",
    "TransportError",
    "check_device",
    "random_inputs",
]
