"""Tiny discoveries and data to discover."""

import numpy as np

from vae_mf.discovery.settings import flat

TINY = {
    # Trainings as short as these differ by more than what counts elsewhere.
    "selection": {"largest_latents": 2, "draws": 4, "per_variable": 0.1},
    "rows": {"training": 2000},
    "training": {"epochs": 2, "batch_size": 128, "encoder_refit_steps": 5},
    "schedule": {"steps": 1},
    "model": {"encoder": {"hidden": 16}, "prior": {"components": 8}},
    "density_models": {"mixtures": [2], "pairwise_chains": 32, "pairwise_variables": 0},
    "independence": {"shifts": 9, "orders": 3},
    "assessment": {"likelihood_draws": 4, "readings": {"orders": 3, "permutations": 20}},
    "predictive_check": {"generated": 1000},
}
"""Settings of the smallest discovery that goes through every stage."""


def options(settings: dict) -> list[str]:
    """Settings as options of the command."""
    return [f"discovery.{name}={value}" for name, value in flat(settings)]


def independent(rows: int = 1500, variables: int = 6) -> np.ndarray:
    random = np.random.default_rng(1)
    return (random.random((rows, variables)) < np.linspace(0.2, 0.7, variables)).astype(np.int8)


def hopfield(rows: int, sites: int, patterns: int, temperature: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Spins of a Hopfield network by block Gibbs, every row a chain of its own, and its patterns."""
    random = np.random.default_rng(2)
    xi = random.choice([-1, 1], (patterns, sites)).astype(np.int8)
    spins = random.choice([-1.0, 1.0], (rows, sites))
    for _ in range(50):
        order = spins @ xi.T / sites + random.normal(size=(rows, patterns)) * np.sqrt(temperature / sites)
        up = 1 / (1 + np.exp(-2 * order @ xi / temperature))
        spins = np.where(random.random(spins.shape) < up, 1.0, -1.0)
    return spins.astype(np.int8), xi
