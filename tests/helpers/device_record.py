"""A record of what a CUDA device would be asked to do, by the package's own code on tensors without values.

Fake tensors (`torch._subclasses`) have a device, a shape and a type; the dispatcher's calls on them are counted below.
"""

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = torch.device("cuda:0")
NOTHING = frozenset(
    {"_unsafe_view", "lift_fresh", "device", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}
)
"""Calls that launch no kernel, as those that are views by their signature."""
COPIES = frozenset({"_to_copy", "copy_", "copy"})
WAITING = frozenset(
    {"multinomial", "_linalg_eigh", "unique", "_unique2", "bincount", "masked_select", "nonzero", "equal"}
    | {"repeat_interleave"}
)
"""Kernels whose result, or its size, the processor waits for."""
WITHOUT_FAKE = torch.ops.aten._fused_adamw_.tensor_lr
"""Kernel that changes its arguments in their places, and that torch has not for tensors without values."""
ACTIVE: list["Recorder"] = []


class Recorder(TorchDispatchMode):
    """Counts what reaches the device, each with the line of the package that asked for it.

    Attributes:
        kernels: launches, by name.
        waits: reads of values by the processor.
        faults: what a device would refuse, such as tensors on two devices in one call.
        copies: copies between the processor and the device.
        doubles: kernels with results in double precision.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernels: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()
        self.doubles: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Carry out a call on fake tensors and take note of it."""
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[-1]
        given = tree_leaves((args, kwargs))
        if name in WAITING and DEVICE.type in devices(given):
            self.waits[f"{name} at {place()}"] += 1
        if name in GUESSES:
            return GUESSES[name](*args)
        if name in ("index", "index_put", "index_put_"):
            args = (args[0], self._rows_of_masks(name, args[1]), *args[2:])
        try:
            found = None if func is WITHOUT_FAKE else func(*args, **kwargs)
        except Exception as error:
            self.faults[f"{name} at {place()}: {str(error).splitlines()[0][:200]}"] += 1
            raise
        self._note(name, given, found, launched=not func.is_view and name not in NOTHING)
        return found

    def _rows_of_masks(self, name: str, chosen):
        """Return indices, masks replaced by half of the entries; the processor waits for how many there are."""
        replaced = []
        for each in chosen:
            if each is not None and each.dtype in (torch.bool, torch.uint8):
                self.waits[f"{name} by a mask at {place()}"] += 1
                half = torch.zeros(max(each.shape[0] // 2, 1), dtype=torch.long, device=each.device)
                replaced += [half] * each.ndim
            else:
                replaced.append(each)
        return replaced

    def _note(self, name: str, given, found, launched: bool) -> None:
        """Count a call that was carried out."""
        made = [each for each in tree_leaves(found) if isinstance(each, torch.Tensor)]
        before, after = devices(given), devices(made)
        if DEVICE.type not in before | after:
            return
        for each in given:
            if isinstance(each, torch.Generator) and {each.device.type} != after:
                self.faults[f"{name} at {place()}: a generator of {each.device}"] += 1
        if name in COPIES and len(before | after) > 1:
            self.copies[f"{name} of {made[0].numel()} numbers at {place()}"] += 1
        elif len(before) > 1:
            self.copies[f"a number of the processor in {name} at {place()}"] += 1
        if launched:
            self.kernels[name] += 1
            if any(each.dtype == torch.float64 for each in made):
                self.doubles[f"{name} at {place()}"] += 1


def devices(values) -> set[str]:
    """Return the types of the devices of some tensors."""
    return {each.device.type for each in values if isinstance(each, torch.Tensor)}


def place() -> str:
    """Return the innermost line of the package on the stack, or that of the optimiser, or the backward pass."""
    frames = traceback.extract_stack()[::-1]
    for part in ("/vae_mf/", "/torch/optim/"):
        for frame in frames:
            if part in frame.filename:
                return f"{part.strip('/')}/{frame.filename.split(part)[-1]}:{frame.lineno}"
    return "the backward pass"


def read(tensor: torch.Tensor):
    """Return a number for a tensor without values."""
    if ACTIVE and tensor.device.type == DEVICE.type:
        ACTIVE[-1].waits[f"item at {place()}"] += 1
    return tensor.dtype == torch.bool or (0.5 if tensor.dtype.is_floating_point else 1)


GUESSES = {
    "_local_scalar_dense": read,
    "equal": lambda one, other: True,
    "nonzero": lambda mask: torch.zeros(max(len(mask) // 2, 1), mask.ndim, dtype=torch.long, device=mask.device),
    "repeat_interleave": lambda repeats, *_: torch.zeros(len(repeats), dtype=torch.long, device=repeats.device),
}
"""Results of calls whose result depends on values."""


class TakenUp(TorchDispatchMode):
    """Finds the memory that some work reads or writes and has not made itself.

    Attributes:
        found: numbers of this memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: set[int] = set()
        self._made: dict[int, torch.UntypedStorage] = {}  # kept, or another would be made with its number

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Carry out a call and take note of its arguments."""
        results = func(*args, **(kwargs or {}))
        for each in tree_leaves((args, kwargs or {})):
            if isinstance(each, torch.Tensor) and number(each) not in self._made:
                self.found.add(number(each))
        for each in tree_leaves(results):
            if isinstance(each, torch.Tensor) and number(each) not in self.found:
                self._made[number(each)] = each.untyped_storage()
        return results


def number(tensor: torch.Tensor) -> int:
    """Return the number of the memory of a tensor, with values or without."""
    return tensor.untyped_storage()._cdata


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Run the code below on fake tensors, whose processor reads no values, and record what it asks of the device."""
    recorder = Recorder()
    ACTIVE.append(recorder)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), torch.autograd.set_multithreading_enabled(False), recorder:
            yield recorder
    finally:
        ACTIVE.pop()


def moved(self, change, recurse=True):
    """Replace every parameter and buffer of a module, as the values of fake tensors cannot be exchanged."""
    for child in self.children() if recurse else ():
        child._apply(change)
    for name, weight in self._parameters.items():
        if weight is not None:
            self._parameters[name] = torch.nn.Parameter(change(weight.detach()), weight.requires_grad)
    for name, buffer in self._buffers.items():
        if buffer is not None:
            self._buffers[name] = change(buffer)
    return self


def listed(self):
    """Stand in for `Tensor.tolist`."""
    if not isinstance(self, FakeTensor):
        return TO_LIST(self)
    return np.full(tuple(self.shape), read(self)).tolist()


def as_array(self, *, force=False):
    """Stand in for `Tensor.numpy`: random numbers of the right kind, and its refusals."""
    if not isinstance(self, FakeTensor):
        return TO_NUMPY(self, force=force)
    if not force and (self.device.type != "cpu" or self.requires_grad):
        raise TypeError(f"can't convert a tensor on {self.device} (with gradient: {self.requires_grad}) to numpy")
    shape, kind = tuple(self.shape), np.dtype(str(self.dtype).removeprefix("torch."))
    random = np.random.default_rng(0)
    if kind == np.int8:
        return random.choice(np.array([-1, 1], np.int8), shape)
    return random.standard_normal(shape).astype(kind) if kind.kind == "f" else np.zeros(shape, kind)


TO_LIST, TO_NUMPY = torch.Tensor.tolist, torch.Tensor.numpy


def install() -> None:
    """Let modules be moved and arrays be read where tensors have no values; for a process of its own."""
    torch.nn.Module._apply = moved
    torch.Tensor.tolist = FakeTensor.tolist = listed
    torch.Tensor.numpy = as_array
