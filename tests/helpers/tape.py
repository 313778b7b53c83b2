"""A recorder of steps for processors, which does as a CUDA graph: the same kernels again, in the same memory.

What Python computes while a step is recorded stays as it was then, as it does on a GPU: a number that is not a tensor,
a tensor that a name is bound to anew, an argument that has changed.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vae_mf.training.captured_step import Work


class Kernel(NamedTuple):
    """A call of the dispatcher with its arguments and its results."""

    function: Callable[..., Any]
    args: tuple
    options: dict[str, Any]
    results: list[torch.Tensor]

    def __call__(self) -> None:
        found = tree_leaves(self.function(*self.args, **self.options))
        for place, result in zip(self.results, found, strict=True):
            if isinstance(result, torch.Tensor) and result.data_ptr() != place.data_ptr():
                place.copy_(result)


class Taking(TorchDispatchMode):
    """Lists the kernels that are carried out below."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[Kernel] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Carry out a call and list it; views are of memory that stays."""
        found = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.kernels.append(Kernel(func, args, kwargs or {}, tree_leaves(found)))
        return found


class Tape:
    """Recorder of the kernels of a processor.

    Attributes:
        warmed_up: number of pieces of work that were carried out as they are.
        recorded: number of those that were recorded.
        repeated: number of repetitions.
    """

    def __init__(self, device: torch.device = torch.device("cpu")) -> None:  # noqa: B008
        self.warmed_up = self.recorded = self.repeated = 0

    def carry_out(self, work: Work) -> None:
        self.warmed_up += 1
        work()

    def record(self, work: Work, generators: Sequence[torch.Generator]) -> Work:
        self.recorded += 1
        with Taking() as taking:
            work()

        @torch.no_grad()
        def repeat() -> None:
            self.repeated += 1
            for kernel in taking.kernels:
                kernel()

        return repeat
