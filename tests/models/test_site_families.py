"""Exponential families of one site: means are gradients, and parameters, means and draws belong together."""

import pytest
import torch

from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.directors.bingham import Bingham
from vae_mf.models.directors.likelihoods import ExchangeableDirectors, IndependentDirectors
from vae_mf.models.directors.symmetric_tensors import tensor_components, traceless_matrix
from vae_mf.models.site_families import FAMILIES, site_family

KINDS = list(FAMILIES)


def parameters(kind: str, rows: int = 7) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 1.5 * torch.randn(rows, 4, FAMILIES[kind].components, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_means_are_the_gradient_of_the_log_normaliser(kind):
    family, eta = FAMILIES[kind], parameters(kind).requires_grad_()
    gradient = torch.autograd.grad(family.log_normaliser(eta).sum(), eta)[0]
    torch.testing.assert_close(family.mean(eta.detach()), gradient)


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_follow_from_the_means(kind):
    family, eta = FAMILIES[kind], parameters(kind)
    torch.testing.assert_close(family.match(family.mean(eta)), eta, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_have_the_means(kind):
    family, eta = FAMILIES[kind], parameters(kind, 1).expand(4000, -1, -1)
    drawn = family.sample(eta, torch.Generator().manual_seed(2))
    error = drawn.std(0) / len(drawn) ** 0.5
    assert ((drawn.mean(0) - family.mean(eta[0])).abs() < 4.5 * error).all()


def test_the_log_normaliser_of_directors_is_that_of_the_bingham_distribution():
    eta = parameters("directors")
    expected = Bingham(matrix=traceless_matrix(eta)).log_normaliser
    torch.testing.assert_close(FAMILIES["directors"].log_normaliser(eta), expected)


def test_components_of_a_tensor_are_read_back():
    eta = parameters("directors")
    torch.testing.assert_close(tensor_components(traceless_matrix(eta)), eta)
    torch.testing.assert_close(tensor_components(traceless_matrix(eta) + 3 * torch.eye(3)), eta)


def test_decoders_give_the_parameters_of_their_densities():
    decoded = LinearDecoder(4, 2).double()(torch.randn(7, 2, dtype=torch.float64))
    spins = torch.ones(7, 4, dtype=torch.float64)
    family = FAMILIES["spins"]
    eta = decoded.natural_parameters
    density = ((eta * family.statistics(spins)).sum(-1) - family.log_normaliser(eta)).sum(1)
    torch.testing.assert_close(density, decoded.log_prob(spins))


@pytest.mark.parametrize("exchangeable", [True, False], ids=["exchangeable", "independent"])
def test_director_decoders_give_the_parameters_of_their_densities(exchangeable):
    family, eta = FAMILIES["directors"], parameters("directors")
    decoded = (
        ExchangeableDirectors(eta[:, 0], 4)
        if exchangeable
        else IndependentDirectors(Bingham(matrix=traceless_matrix(eta)))
    )
    directors = decoded.sample(torch.Generator().manual_seed(3))
    found = decoded.natural_parameters
    density = ((found * family.statistics(directors)).sum(-1) - family.log_normaliser(found)).sum(1)
    # n nᵀ - I/3 has lost a third of the trace, which is that of a traceless matrix: nothing.
    torch.testing.assert_close(density, decoded.log_prob(directors))


def test_other_configurations_are_refused():
    with pytest.raises(ValueError, match="expected one of spins, directors, got 'angles'"):
        site_family("angles")
