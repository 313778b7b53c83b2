"""Chain rule of directors: a Bingham law for every director, whose matrix is a function of those before it.

With U a weighted sum of the tensors n nᵀ - I/3 before, B = sum_k (a_k U + b_k (U² - Tr U² I / 3)) g_k(|U|) turns with
all directors, and the likelihood is concave in a and b. The weights are those of a linear regression.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Shaped

from vae_mf.benchmarks.estimators.reference import training_rows
from vae_mf.models.directors.symmetric_tensors import director_components, tensor_components, traceless_matrix
from vae_mf.models.site_families import site_family

SLOPES = (1.0, 3.0, 10.0)
"""Slopes of the functions of |U|, in its spread."""
RIDGE = 1e-3
"""Ridge of the weights and of the coefficients, in units of a row."""
STEPS = 40
"""Steps of the solver at most."""
FAMILY = site_family("directors")
Tensors = Float[torch.Tensor, "rows components"]


class DirectorRatios(NamedTuple):
    """Log-ratios of directors, and what is left of their tensors."""

    values: Float32[np.ndarray, "rows variables"]
    """ln p(n_i | n_<i) / p(n_i)."""
    residuals: Float32[np.ndarray, "rows variables components"]
    """n nᵀ less its mean given those before, in components without correlations and of variance 1."""


def director_ratios(directors: Shaped[np.ndarray, "rows variables 3"]) -> DirectorRatios:
    """Return the ratios of every director of every row, fitted to the first rows.

    Raises:
        ValueError: if some directors are all in a plane, or on a few axes.
    """
    tensors = director_components(torch.from_numpy(np.ascontiguousarray(directors, np.float32)))
    count = training_rows(directors)
    marginal = FAMILY.match(tensors[:count].mean(0))
    residuals = tensors - tensors[:count].mean(0)
    covariance = torch.einsum("rik,rjk->ij", residuals[:count], residuals[:count]) / count
    ratios = torch.zeros(tensors.shape[:2])
    left = torch.zeros(tensors.shape)
    left[:, 0] = scaled(residuals[:, 0], count)
    for i in range(1, tensors.shape[1]):
        inside = covariance[:i, :i] + RIDGE * covariance.diagonal()[:i].mean() * torch.eye(i)
        weights = torch.linalg.solve(inside, covariance[:i, i])
        inputs = equivariant_inputs(torch.einsum("rjk,j->rk", residuals[:, :i], weights), count)
        tilt = fitted_tilt(inputs, tensors[:, i], marginal[i], count)
        ratios[:, i] = log_ratios(tilt, tensors[:, i], marginal[i])
        left[:, i] = scaled(tensors[:, i] - FAMILY.mean(marginal[i] + tilt), count)
    return DirectorRatios(ratios.numpy(), left.numpy())


def scaled(tensors: Tensors, count: int) -> Tensors:
    """Return combinations of the components that the first rows show uncorrelated and of variance 1.

    Raises:
        ValueError: if one of them does not vary.
    """
    covariance = torch.cov(tensors[:count].T, correction=0)
    root, failed = torch.linalg.cholesky_ex(covariance)
    if failed:
        raise ValueError("rows: expected directors all over the sphere, got some in a plane or on a few axes")
    return torch.linalg.solve_triangular(root, tensors.T, upper=False).T


def equivariant_inputs(tensor: Tensors, count: int) -> Float[torch.Tensor, "rows inputs components"]:
    """Return U and the traceless part of U², each times functions of |U|, in units of the spread of the first rows."""
    size = tensor.norm(dim=1, keepdim=True)
    spread = size[:count].square().mean().sqrt().clamp(min=torch.finfo(tensor.dtype).tiny)
    scaled, size = tensor / spread, size / spread
    matrix = traceless_matrix(scaled)
    kinds = torch.stack([scaled, tensor_components(matrix @ matrix)], dim=1)
    functions = torch.cat([torch.ones_like(size), *(torch.tanh(slope * size**2) for slope in SLOPES)], dim=1)
    return (kinds[:, None] * functions[:, :, None, None]).flatten(1, 2)


def fitted_tilt(
    inputs: Float[torch.Tensor, "rows inputs components"],
    own: Tensors,
    marginal: Float[torch.Tensor, " components"],
    count: int,
) -> Tensors:
    """Return what the directors before add to the parameters, by the likeliest coefficients of the first rows."""
    coefficients = torch.zeros(inputs.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([coefficients], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = -log_ratios(tilt_of(inputs[:count], coefficients), own[:count], marginal).mean()
        value = value + RIDGE * coefficients.square().sum() / 2
        value.backward()
        return value

    with torch.enable_grad():
        optimiser.step(loss)  # pyright: ignore[reportArgumentType]
    return tilt_of(inputs, coefficients.detach())


def tilt_of(
    inputs: Float[torch.Tensor, "rows inputs components"], coefficients: Float[torch.Tensor, " inputs"]
) -> Tensors:
    """Return the weighted sum of the inputs."""
    return torch.einsum("rmk,m->rk", inputs, coefficients)


def log_ratios(tilt: Tensors, own: Tensors, marginal: Float[torch.Tensor, " components"]) -> torch.Tensor:
    """Return the log-density of directors under their Bingham law over that of the marginal one."""
    return (tilt * own).sum(1) - FAMILY.log_normaliser(marginal + tilt) + FAMILY.log_normaliser(marginal)
