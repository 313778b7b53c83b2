"""Machine and versions that the numbers of a benchmark depend on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def conditions(*packages: str) -> str:
    """Return what the numbers depend on: processor, load and versions of the packages."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    processors = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    software = ", ".join(f"{name} {version(name)}" for name in packages)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} x {(processors or [platform.processor()])[0]}{load}, {software}"
