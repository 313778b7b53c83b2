"""Directors as points of a disc: the way back, whatever their sign, and areas that are kept."""

import numpy as np
import pytest
import torch

from vae_mf.models.directors.equal_area import from_disc, to_disc


def directors(count: int) -> torch.Tensor:
    vectors = torch.randn(count, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return vectors / vectors.norm(dim=1, keepdim=True)


AXES = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.8, 0], [-0.6, 0.8, 1e-9]], dtype=torch.float64)


@pytest.mark.parametrize("given", [directors(200_000), AXES], ids=["anywhere", "axes"])
def test_the_way_back_ends_where_it_began(given):
    for sign in (1, -1):
        found = from_disc(to_disc((sign * given).float())).double()
        sines = torch.linalg.cross(found, given).norm(dim=1)
        assert float(sines.max()) < 5e-5
        assert float((found.norm(dim=1) - 1).abs().max()) < 3e-7


def test_areas_are_kept():
    squares = (to_disc(directors(200_000).float()).double() / (2**15 - 1)).square().sum(1)
    counts = np.histogram(squares, 20, (0, 1))[0]
    assert abs(counts - 10_000).max() < 5 * np.sqrt(10_000)
