"""Shape of two latent variables over the rows: a ring, along which a single circular variable runs."""

import numpy as np
from jaxtyping import Float


def on_ring(z: Float[np.ndarray, "rows latents"], sectors: int, filled: float, spread: float) -> bool:
    """Return True if two latent variables lie on a ring that the rows cover all around.

    An invertible linear mixing, up to which latent variables are known, makes an ellipse of a ring and changes nothing:
    the variables are whitened first. A few clusters on a ring leave sectors empty.

    >>> angle = np.linspace(0, 2 * np.pi, 1000)
    >>> ellipse = np.stack([3 * np.cos(angle) + 1, np.sin(angle) + np.cos(angle)], 1)
    >>> on_ring(ellipse, 12, 0.5, 0.25), on_ring(np.random.default_rng(0).normal(size=(1000, 2)), 12, 0.5, 0.25)
    (True, False)

    Args:
        z: mean of the latent variables given each row; False unless there are two of them.
        sectors: number of sectors around the mean, all of which a ring covers.
        filled: rows in the emptiest sector of a ring, in units of those in a sector on the average.
        spread: spread of the distances from the mean on a ring, in units of the mean distance; it is 0.52 for normal
            variables.
    """
    if z.shape[1] != 2 or np.linalg.matrix_rank(z - z.mean(0)) < 2:
        return False
    centred = z - z.mean(0)
    # The rows of the left factor have the identity as their covariance, up to a factor.
    white = np.linalg.svd(centred, full_matrices=False)[0]
    distance = np.hypot(*white.T)
    sector = np.floor(np.arctan2(*white.T) / (2 * np.pi) * sectors).astype(int) % sectors
    count = np.bincount(sector, minlength=sectors)
    covered = count.min() >= filled * count.mean()
    return bool(covered and distance.std() <= spread * distance.mean())
