"""Public names of the room, read by `__init__.py` and by editors."""

from .base import DeviceSampler
from .hopfield import DeviceHopfieldGibbs
from .maier_saupe import DeviceMaierSaupeDirect
from .multispin import DeviceMultispin

__all__ = ["DeviceHopfieldGibbs", "DeviceMaierSaupeDirect", "DeviceMultispin", "DeviceSampler"]
