"""Memory that is free to this process: of the machine, of the control groups around it, and within its own limit."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil


class GroupFiles(NamedTuple):
    """Files of the memory of a control group, below its folder."""

    mount: str
    limit: str
    used: str
    reclaimable: str
    """Line of memory.stat with the cache of files that goes where memory is needed."""


FIRST = GroupFiles("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
SECOND = GroupFiles("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file")


def available_memory() -> int:
    """Return the number of bytes that can be allocated without swapping or meeting a limit."""
    own = *left_by_groups(Path("/")), *left_by_limit()
    return max(0, min(psutil.virtual_memory().available, *own))


def own_memory() -> int:
    """Return the number of bytes that this process holds."""
    return psutil.Process().memory_info().rss


def left_by_groups(root: Path) -> Iterator[int]:
    """Yield the bytes that each control group around this process leaves; only Linux has such groups.

    Containers and schedulers such as SLURM limit memory by them. A container may see its own group as the topmost.

    Args:
        root: folder of proc and sys.
    """
    listing = root / "proc/self/cgroup"
    for line in listing.read_text(encoding="utf-8").splitlines() if listing.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        files = FIRST if controllers else SECOND
        own = Path(path.lstrip("/"))
        for group in dict.fromkeys([own, *own.parents, Path()]):
            yield from left_by_group(root / files.mount / group, files)


def left_by_group(folder: Path, files: GroupFiles) -> Iterator[int]:
    """Yield the bytes that a control group leaves, if it has a limit."""
    limit, used, statistics = (folder / name for name in (files.limit, files.used, "memory.stat"))
    if not limit.exists() or (most := limit.read_text(encoding="utf-8").strip()) == "max":
        return
    numbers = dict(line.split() for line in statistics.read_text(encoding="utf-8").splitlines())
    yield int(most) - int(used.read_text(encoding="utf-8")) + int(numbers.get(files.reclaimable, 0))


def left_by_limit() -> Iterator[int]:
    """Yield the bytes that the limit of the address space (ulimit -v) leaves, if there is one that is kept to."""
    if sys.platform != "linux":
        return
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:
        yield most - psutil.Process().memory_info().vms


def limit_memory() -> None:
    """Let this process take no more than is free now: an array beyond is refused, and no other process is ended for it.

    Only Linux counts what a process takes apart from what it maps.
    """
    if sys.platform != "linux":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = psutil.Process().memory_info().data + available_memory()
    resource.setrlimit(resource.RLIMIT_DATA, (allowed if most == resource.RLIM_INFINITY else min(allowed, most), most))
