"""A training step that a GPU records once and repeats by itself: one launch instead of hundreds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch

from vae_mf.models.devices import AUTO
from vae_mf.models.tensors import Batch, Condition
from vae_mf.training.vae_module import VAEModule

WARM_UP = 3
"""Steps that are taken as they are before one is recorded: kernels are chosen, and buffers of libraries made, there."""
CAPTURING_MODES = ("reduce-overhead", "max-autotune")
"""Modes of `torch.compile` that record graphs of their own."""
Work = Callable[[], object]
"""Work for a device."""


class NotCaptured(Exception):
    """A step could not be recorded, of which nothing was done."""


@runtime_checkable
class Recorder(Protocol):
    """Carries out work on a device, and records it."""

    def carry_out(self, work: Work) -> None:
        """Carry out some work as it is, where it will be recorded."""
        ...

    def record(self, work: Work, generators: Sequence[torch.Generator]) -> Work:
        """Carry out some work once, and return what repeats it, in the same memory and with the numbers that follow.

        Args:
            work: asks the device for its kernels, always for the same, and waits for none.
            generators: generators of the random numbers that it draws.

        Raises:
            RuntimeError: if the work cannot be recorded; then nothing was done.
        """
        ...


class GraphRecorder:
    """Recorder of CUDA graphs, on a stream of its own."""

    def __init__(self, device: torch.device):
        self.device = device
        self.stream = torch.cuda.Stream(device)

    def carry_out(self, work: Work) -> None:
        """Carry out some work on this stream, to which autograd then binds what it keeps."""
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            work()
        current.wait_stream(self.stream)

    def record(self, work: Work, generators: Sequence[torch.Generator]) -> Work:
        """Record a graph, launch it once, and return what launches it."""
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        drawn_from = *generators, torch.cuda.default_generators[self.device.index or 0]
        states = [generator.clone_state() for generator in drawn_from]
        try:
            # The outer context leads back to this stream also where the end of a recording fails.
            with torch.cuda.stream(torch.cuda.current_stream(self.device)), torch.cuda.graph(graph, stream=self.stream):
                work()
        except RuntimeError:
            # A recording that was broken off leaves generators that draw no more.
            for generator, state in zip(drawn_from, states, strict=True):
                generator.graphsafe_set_state(state)
            raise
        graph.replay()
        return graph.replay


def recorder_for(device: torch.device) -> Recorder:
    """Return the recorder of a device."""
    return GraphRecorder(device)


def is_wanted(captured: bool | str, device: torch.device) -> bool:
    """Return whether steps on a device are to be recorded.

    >>> is_wanted("auto", torch.device("cpu")), is_wanted(True, torch.device("cpu"))
    (False, True)
    """
    return captured is True or (captured == AUTO and device.type == "cuda")


def can_record(device: torch.device) -> bool:
    """Return whether a device records what it is asked to do.

    >>> can_record(torch.device("cpu"))
    False
    """
    return device.type == "cuda"


def obstacle_of(module: VAEModule, optimiser: torch.optim.Optimizer) -> str | None:
    """Return why the steps of a module cannot be recorded, None if nothing stands against it."""
    if not can_record(module.device):
        return "a processor records none"
    if module.compile_mode in CAPTURING_MODES:
        return f"training.module.compile={module.compile_mode} records by itself"
    if not all(group["fused"] for group in optimiser.param_groups):
        return "the optimiser is that of a checkpoint which another version wrote"
    return None


def not_recorded(reason: str) -> str:
    """Return a remark on a training whose steps are to be recorded, but are not."""
    return f"training.captured: steps are not recorded but taken one by one, as {reason}"


class CapturedStep:
    """A step that is taken as it is a few times, then recorded, and from then on repeated.

    It keeps to its memory: batches are copied to one place, the learning rate is a number on the device. Steps are the
    same as without, but that the learning rate is rounded to single precision.

    Args:
        take: takes a step with a batch, from the loss to the optimiser.
        module: module of the loss.
        optimiser: its optimiser, whose learning rate may change from step to step.
        recorder: recorder of the device.
    """

    def __init__(
        self,
        take: Callable[[Batch], object],
        module: VAEModule,
        optimiser: torch.optim.Optimizer,
        recorder: Recorder,
    ):
        self.take = take
        self.module = module
        self.optimiser = optimiser
        self.recorder = recorder
        self.batch: Batch | None = None
        self.rates = [torch.zeros((), device=module.device) for _ in optimiser.param_groups]
        self.filled: list[float] = []
        self.forget()

    def forget(self) -> None:
        """Drop what was recorded."""
        self.replay: Work | None = None
        self.left = WARM_UP
        self.recorded: list[object] = []

    def begin_epoch(self) -> None:
        """Record anew if a step would read or write other memory than was recorded, or has other options.

        Callbacks may change either between epochs.
        """
        if self.replay is not None and self.recorded != self._surroundings():
            self.forget()

    def __call__(self, batch: Batch) -> None:
        """Take a step.

        Raises:
            NotCaptured: if it cannot be recorded; it was not taken.
        """
        if self.batch is None:
            self.batch = Batch(place_of(batch.configurations), Condition(*map(place_of, batch.condition)))
        if not self._filled(batch):
            self.take(batch)
        elif self.replay is not None:
            self.replay()
        elif self.left:
            self.left -= 1
            self.recorder.carry_out(self._work)
        else:
            self._record()

    def _filled(self, batch: Batch) -> bool:
        """Put a batch and the learning rate where the recorded step reads them; False if the batch has another size."""
        assert self.batch is not None
        pairs = list(zip(tensors(self.batch), tensors(batch), strict=True))
        if any(place.shape != part.shape or place.dtype != part.dtype for place, part in pairs):
            return False
        for place, part in pairs:
            place.copy_(part)
        rates = [group["lr"] for group in self.optimiser.param_groups]
        if rates != self.filled:
            for place, rate in zip(self.rates, rates, strict=True):
                place.fill_(rate)
            self.filled = rates
        return True

    def _work(self) -> None:
        assert self.batch is not None
        with options(self.optimiser, "lr", self.rates):
            self.take(self.batch)

    def _record(self) -> None:
        try:
            with options(self.optimiser, "capturable", [True] * len(self.rates)):
                self.replay = self.recorder.record(self._work, self.module.generators())
        except RuntimeError as error:
            raise NotCaptured(first_line(error)) from error
        self.recorded = self._surroundings()

    def _surroundings(self) -> list[object]:
        """Return the addresses of what a step reads and writes, and what else it depends on."""
        state = [value for values in self.optimiser.state.values() for value in values.values()]
        held = [*self.module.parameters(), *self.module.buffers(), *self.module.sums(), *state]
        places = [(part.data_ptr(), part.requires_grad) for part in held if isinstance(part, torch.Tensor)]
        groups = [
            {name: value for name, value in group.items() if name not in ("params", "lr")}
            for group in self.optimiser.param_groups
        ]
        modes = [part.training for part in self.module.modules()]
        return [places, groups, modes, self.module.generators(), self.module.augment]


def place_of(part: torch.Tensor) -> torch.Tensor:
    """Return memory for such tensors, in the same layout, on which the last digits of a product depend."""
    return torch.empty_strided(part.shape, part.stride(), dtype=part.dtype, device=part.device)


def tensors(batch: Batch) -> tuple[torch.Tensor, ...]:
    """Return the tensors of a batch."""
    return batch.configurations, *batch.condition


@contextmanager
def options(optimiser: torch.optim.Optimizer, name: str, values: Sequence[object]) -> Iterator[None]:
    """Give the groups of an optimiser other values of an option, for a while."""
    before = [group[name] for group in optimiser.param_groups]
    for group, value in zip(optimiser.param_groups, values, strict=True):
        group[name] = value
    try:
        yield
    finally:
        for group, value in zip(optimiser.param_groups, before, strict=True):
            group[name] = value


def first_line(error: BaseException) -> str:
    """Return what an error says first, of those that followed from one another that which came first."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
