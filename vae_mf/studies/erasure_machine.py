"""Accuracy and speed of the erasure machine on two kinds of data, for the figures of Jo, Hoang and Periwal (2019).

"equilibrium" samples come from parallel tempering. "resampled" ones imitate the authors' published generator: uniform
configurations, drawn again with probability proportional to exp(-E); at strong coupling a handful of them are all of
the data, a bias that re-weighting happens to undo.
"""

import time
from collections.abc import Callable, Sequence
from itertools import islice, product
from pathlib import Path

import numpy as np
import pandas as pd

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.datasets.readers.images import binarise, read_idx
from vae_mf.inverse_ising.base import InverseIsing
from vae_mf.inverse_ising.erasure import ErasureMachine, erasure_steps
from vae_mf.inverse_ising.missing import MissingSpins
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.rng import generator, integer
from vae_mf.samplers.base import Schedule, sample_chains
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.statistics.distinct import distinct_spins
from vae_mf.systems.spin_glass import Ising

LADDER = np.geomspace(1.0, 6.0, 10)
CHAINS = 20
METHODS: dict[str, Callable[[], InverseIsing]] = {
    "erasure machine": ErasureMachine,
    "pseudo-likelihood": PseudoLikelihood,
    "Hebb": lambda: ErasureMachine(epsilons=(1.0,)),
}


def gaussian_model(sites: int, strength: float, random: np.random.Generator) -> tuple[Couplings, Fields]:
    """Return couplings and fields drawn from Normal(0, g^2 / N) with g = ``strength``."""
    scale = strength / np.sqrt(sites)
    upper = np.triu(random.normal(0, scale, (sites, sites)), 1)
    return upper + upper.T, random.normal(0, scale, sites)


def equilibrium_samples(couplings: Couplings, fields: Fields, samples: int, seed: int) -> Spins:
    """Return configurations of the model by parallel tempering, in random order."""
    sampler = ParallelTempering(IsingMetropolis(Ising(couplings, fields)))
    schedule = Schedule(draws=-(-samples // CHAINS), burn_in=500, thinning=10)
    coldest = sample_chains(sampler, LADDER, CHAINS, schedule, integer(seed, "samples"))[0]
    return generator(seed, "order").permutation(coldest.reshape(-1, len(fields)))[:samples]


def resampled(couplings: Couplings, fields: Fields, samples: int, seed: int, excess: int = 30) -> Spins:
    """Return configurations drawn with weights exp(-E) from ``excess`` times as many uniform ones."""
    random = generator(seed, "resampled")
    scores = []
    spins = random.choice(np.array([-1, 1], np.int8), (excess * samples, len(fields)))
    for part in np.array_split(spins, excess):
        scores.append(np.einsum("ri,ri->r", part, part @ (couplings / 2) + fields))
    weights = np.exp(np.concatenate(scores) - np.max(np.concatenate(scores)))
    return spins[random.choice(len(spins), samples, p=weights / weights.sum())]


GENERATORS = {"equilibrium": equilibrium_samples, "resampled": resampled}


def mean_squared_error(couplings: Couplings, fields: Fields, found: Couplings, found_fields: Fields) -> float:
    """Return the mean over all couplings and fields of the squared error.

    >>> mean_squared_error(np.zeros((2, 2)), np.zeros(2), np.ones((2, 2)), np.ones(2))
    1.0
    """
    pairs = np.triu_indices(len(fields), 1)
    return float(np.mean(np.r_[(found - couplings)[pairs], found_fields - fields] ** 2))


def learning_tables(
    sites: int, strength: float, samples: Sequence[int], epsilons: Sequence[float], steps: int, seed: int
) -> dict[str, pd.DataFrame]:
    """Return error and mean energy against iterations ("learning") and, at the end, against epsilon ("epsilons")."""
    couplings, fields = gaussian_model(sites, strength, generator(seed, "model"))
    learning, final = [], []
    for kind, count in product(GENERATORS, samples):
        rows, shares, _ = distinct_spins(GENERATORS[kind](couplings, fields, count, seed), np.ones(count))
        for step, state in enumerate(islice(erasure_steps(rows, shares, np.array(epsilons), 0.1), steps + 1)):
            found = zip(state.couplings, state.fields, strict=True)
            errors = [mean_squared_error(couplings, fields, *each) for each in found]
            columns = {"epsilon": epsilons, "error": errors, "energy": state.energies}
            learning.append(pd.DataFrame({"generator": kind, "samples": count, "iteration": step} | columns))
        final.append(learning[-1].assign(chosen=np.arange(len(epsilons)) == int(state.energies.argmax())))
    return {"learning": pd.concat(learning, ignore_index=True), "epsilons": pd.concat(final, ignore_index=True)}


def accuracy_tables(
    sites: int, strengths: Sequence[float], samples: Sequence[int], disorders: int, seed: int
) -> dict[str, pd.DataFrame]:
    """Return errors of all methods against the number of samples ("accuracy"), and couplings found ("couplings").

    The latter are those of the first disorder at the smallest and the largest number of samples.
    """
    accuracy, found = [], []
    for strength, disorder, kind in product(strengths, range(disorders), GENERATORS):
        couplings, fields = gaussian_model(sites, strength, generator(seed, "model", disorder))
        spins = GENERATORS[kind](couplings, fields, max(samples), integer(seed, "data", disorder))
        for count, name in product(samples, METHODS):
            row = {"generator": kind, "strength": strength, "disorder": disorder, "samples": count, "method": name}
            fit = fitted(METHODS[name](), spins[:count])
            error = np.nan if fit is None else mean_squared_error(couplings, fields, fit.couplings_, fit.fields_)
            accuracy.append(row | {"error": error})
            if fit is not None and disorder == 0 and count in (min(samples), max(samples)):
                pairs = np.triu_indices(sites, 1)
                found.append(pd.DataFrame(row | {"true": couplings[pairs], "inferred": fit.couplings_[pairs]}))
    return {"accuracy": pd.DataFrame(accuracy), "couplings": pd.concat(found, ignore_index=True)}


def fitted(estimator: InverseIsing, spins: Spins) -> InverseIsing | None:
    """Return an estimator fitted to spins (M, N), None if a spin never changes."""
    return estimator.fit(spins) if (np.ptp(spins, axis=0) > 0).all() else None


def time_tables(sizes: Sequence[int], samples: int, repeats: int, seed: int) -> dict[str, pd.DataFrame]:
    """Return the processor time of the erasure machine and of pseudo-likelihood against N, the least of ``repeats``."""
    rows = []
    for sites in sizes:
        couplings, fields = gaussian_model(sites, 0.5, generator(seed, "model", sites))
        spins = equilibrium_samples(couplings, fields, samples, seed)
        for name in ("erasure machine", "pseudo-likelihood"):
            seconds = [processor_time(METHODS[name](), spins) for _ in range(repeats)]
            rows.append({"sites": sites, "samples": samples, "method": name, "seconds": min(seconds)})
    return {"times": pd.DataFrame(rows)}


def processor_time(model: InverseIsing, spins: Spins) -> float:
    """Return the seconds of processor time that a fit takes."""
    begin = time.process_time()
    model.fit(spins)
    return time.process_time() - begin


def digit_tables(folder: str, digit: int, missing: int, images: int, seed: int) -> dict[str, pd.DataFrame]:
    """Return errors of completed test images of one digit ("completion"), and the first four of them ("pixels")."""
    train, test = (digit_images(Path(folder), part, digit) for part in ("train", "t10k"))
    whole = test[:images]
    torn = torn_images(whole, missing, generator(seed, "missing"))
    search = integer(seed, "search") % 2**32
    filled = {method: filler(search).fit(train).transform(torn) for method, filler in FILLERS.items()}
    usual = np.where(train.mean(axis=0) >= 0, 1, -1)
    guesses = filled | {"usual values": np.where(torn == 0, usual, torn)}
    completion = pd.DataFrame({"method": list(guesses), "wrong": [int((x != whole).sum()) for x in guesses.values()]})
    stages = {"original": whole, "torn": torn} | filled
    return {
        "completion": completion.assign(images=images, missing=missing),
        "pixels": pd.concat([pixel_table(stages, k) for k in range(min(4, images))], ignore_index=True),
    }


def torn_images(whole: Spins, missing: int, random: np.random.Generator) -> Spins:
    """Return images (images, pixels) with so many pixels of each set to 0."""
    torn = whole.copy()
    for row in torn:
        row[random.choice(row.size, missing, replace=False)] = 0
    return torn


def pixel_table(stages: dict[str, Spins], image: int) -> pd.DataFrame:
    """Return the pixels of one image at every stage."""
    frames = [
        pd.DataFrame({"image": image, "stage": stage, "pixel": np.arange(rows.shape[1]), "value": rows[image]})
        for stage, rows in stages.items()
    ]
    return pd.concat(frames, ignore_index=True)


FILLERS: dict[str, Callable[[int], MissingSpins]] = {
    "erasure machine": lambda seed: MissingSpins(ErasureMachine(), common=0.8, random_state=seed),
    "pseudo-likelihood": lambda seed: MissingSpins(random_state=seed),
}
"""Filler of the source, and filler with the defaults."""


def digit_images(folder: Path, part: str, digit: int) -> Spins:
    """Return all images of a digit as spins (images, pixels), +1 where a pixel is brighter than 1."""
    images, labels = (read_idx(folder / f"{part}-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    chosen = images[labels == digit]
    return binarise(chosen, 1).reshape(len(chosen), -1)
