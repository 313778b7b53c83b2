"""Times of the spline prior against nflows, forward and backward of log p(z|T) at ten temperatures on one thread.

Three ways to the same numbers from the same weights: network and nflows on every row, network per level and nflows on
every row, network and knots per level (``backend="fast"``). Process CPU time, median over blocks of steps that
alternate between the ways, so the ratios survive a busy machine.

    python scripts/benchmarks/spline.py --repeats 40
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from rich.console import Console
from rich.table import Table

from vae_mf.models.priors.spline import SplinePrior
from vae_mf.models.tensors import Condition

SIZES = [(1024, 2, 8), (1024, 2, 16), (16384, 2, 8), (16384, 8, 16)]
TEMPERATURES = torch.linspace(1.0, 4.0, 10)
BLOCK = 5


def training_steps(batch: int, latents: int, bins: int, layers: int) -> list[Callable[[], None]]:
    """Return one training step per way: nflows per row, nflows with the network per level, fast."""
    torch.manual_seed(42)
    z = torch.randn(batch, latents, requires_grad=True)
    index = torch.arange(batch) % len(TEMPERATURES)
    per_level = Condition(TEMPERATURES, index)
    per_row = Condition(TEMPERATURES[index], torch.arange(batch))
    fast = SplinePrior(latents, layers, bins)
    nflows = SplinePrior(latents, layers, bins, backend="nflows")
    nflows.load_state_dict(fast.state_dict())

    def step(prior: SplinePrior, condition: Condition) -> Callable[[], None]:
        return lambda: prior(condition).log_prob(z).sum().backward()

    return [step(nflows, per_row), step(nflows, per_level), step(fast, per_level)]


def milliseconds(steps: list[Callable[[], None]], repeats: int) -> list[float]:
    """Return the median process CPU time of each step; the ways alternate in blocks, the first of which is warm-up."""
    times = [[] for _ in steps]
    for _ in range(repeats + 1):
        for step, record in zip(steps, times, strict=True):
            start = time.process_time()
            for _ in range(BLOCK):
                step()
            record.append(1e3 * (time.process_time() - start) / BLOCK)
    return [median(record[1:]) for record in times]


def main() -> None:
    """Print one line per size and number of layers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    table = Table("batch", "latents", "bins", "layers", "per row", "per level", "fast, ms", "ratio to row", "to level")
    for size, layers in [(size, layers) for size in SIZES for layers in (1, 3)]:
        row, level, fast = milliseconds(training_steps(*size, layers), 1 + repeats * 1024 // size[0])
        cells = [f"{row:.2f}", f"{level:.2f}", f"{fast:.2f}", f"{row / fast:.1f}", f"{level / fast:.1f}"]
        table.add_row(*map(str, (*size, layers)), *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
