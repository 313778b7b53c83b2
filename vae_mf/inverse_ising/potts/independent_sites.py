"""Independent sites as the least that a model of couplings has to predict better."""

import numpy as np
from jaxtyping import Float

from vae_mf.inverse_ising.independent_spins import MOST_ROWS, gains_beyond_chance
from vae_mf.inverse_ising.potts.coordinates import Coordinates
from vae_mf.inverse_ising.potts.model import PottsParameters, log_pseudo_likelihood
from vae_mf.inverse_ising.potts.rows import PottsRows


def beats_independent_sites(model: PottsParameters, l2: Float[np.ndarray, "sites sites"], data: PottsRows) -> bool:
    """Return False if a model seems to predict new rows worse than independent sites do.

    As for spins (`beats_independent_spins`), of whose couplings a pair of sites has (q - 1)^2. A site's regression has
    as many parameters for each of the q - 1 logits that a row tells.

    Args:
        l2: weights of the squared couplings.
    """
    step = -(-len(data.picks) // MOST_ROWS)
    picks = data.picks[::step]
    shares = data.shares[::step] / data.shares[::step].sum()
    states = (picks - data.states * np.arange(data.sites)).astype(np.int8)
    gains = log_pseudo_likelihood(states, model, data.states) - np.log(data.frequencies[picks]).sum(axis=1)
    samples = data.samples if step == 1 else float(len(picks))
    share = 2 * determined(l2, data) / data.sites / data.samples
    return gains_beyond_chance(gains, shares, samples, data.sites, share, data.states - 1)


def determined(l2: Float[np.ndarray, "sites sites"], data: PottsRows) -> float:
    """Return the number of couplings that the data determine better than the prior does, were all others known."""
    coordinates = Coordinates(data.frequencies, data.states)
    known = coordinates.pair_variances()[: coordinates.couplings].reshape(len(coordinates.first), -1)
    ridges = l2[coordinates.first, coordinates.second, None] / data.samples
    return float((known / np.maximum(known + ridges, np.finfo(float).tiny)).sum())
