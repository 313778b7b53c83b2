"""Memory of the tensors that are alive while some work is done on the processor."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveMemory(TorchDispatchMode):
    """Adds up the memory of tensors that kernels make, until nothing refers to them.

    Attributes:
        now: bytes of those that are alive.
        peak: most bytes that ever were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Carry out a call and count what it makes."""
        found = func(*args, **(kwargs or {}))
        for each in tree_leaves(found):
            if isinstance(each, torch.Tensor):
                self._count(each.untyped_storage())
        return found

    def _count(self, memory: torch.UntypedStorage) -> None:
        if memory._cdata not in self._alive:
            self._alive.add(memory._cdata)
            self.now += memory.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(memory, self._forget, memory._cdata, memory.nbytes())

    def _forget(self, number: int, size: int) -> None:
        self._alive.discard(number)
        self.now -= size
