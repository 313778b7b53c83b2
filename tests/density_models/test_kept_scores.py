"""Scores are computed once, and a file that was half written is none."""

import numpy as np
import pytest

from vae_mf.density_models.comparison import ModelScores, kept_scores


def scores() -> ModelScores:
    return ModelScores("a model", "VAE", 7, np.array([-1.5, -2.0]), np.array([-0.5]), 0.25, 3.0)


def test_scores_are_read_back_as_they_were_written(tmp_path):
    path = tmp_path / "new" / "scores.npz"
    first = kept_scores(path, scores)
    again = kept_scores(path, lambda: pytest.fail("computed twice"))
    for found in (first, again):
        for value, expected in zip(found, scores(), strict=True):
            assert np.array_equal(value, expected)
    assert isinstance(again.model, str)
    assert isinstance(again.parameters, int)


def test_what_fails_leaves_no_file(tmp_path):
    def broken() -> ModelScores:
        raise RuntimeError("no fit")

    with pytest.raises(RuntimeError, match="no fit"):
        kept_scores(tmp_path / "scores.npz", broken)
    (tmp_path / "scores.npz.partial").write_bytes(b"half")
    assert kept_scores(tmp_path / "scores.npz", scores).model == "a model"
