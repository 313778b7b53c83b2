"""Independent equilibrium samples of systems that are small enough to enumerate."""

from collections.abc import Iterable

import numpy as np

from vae_mf.systems.enumeration import enumerate_system


def exact_draws(system, temperatures: Iterable[float], rows: int, seed: int) -> dict[float, np.ndarray]:
    """Spins (rows, N) at every temperature, by temperature."""
    generator = np.random.default_rng(seed)
    return {temperature: draw(system, temperature, rows, generator) for temperature in temperatures}


def draw(system, temperature: float, rows: int, generator: np.random.Generator) -> np.ndarray:
    """Spins (rows, N) at one temperature."""
    states = enumerate_system(system, temperature)
    return states.spins[generator.choice(len(states.spins), rows, p=states.probabilities)]
