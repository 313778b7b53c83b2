"""Models of configurations, and trained models of run folders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.checks import require_integer, require_path
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.runs.folder import find_run, read_record
from vae_mf.runs.instantiate import instantiate
from vae_mf.training.weights import load_weights


def build_vae(model: Mapping[str, Any], sites: int, seed: int) -> VAE:
    """Build a model for ``sites`` spins with weights drawn from ``seed``; torch's global generator stays as it was.

    >>> names = {"encoder": "LinearEncoder", "decoder": "LinearDecoder", "prior": "GaussianPrior"}
    >>> parts = {part: {"_target_": f"vae_mf.models.{name}"} for part, name in names.items()}
    >>> build_vae({"latents": 2, **parts}, sites=8, seed=1).decoder.log_odds
    Linear(in_features=2, out_features=8, bias=True)

    Raises:
        ValueError: if a part is no module of torch, or takes no such options.
    """
    latents = require_integer("model.latents", model["latents"])
    with torch.random.fork_rng():
        torch.manual_seed(integer(seed, "weights"))
        return VAE(
            instantiate(model["encoder"], kind=nn.Module, place="model.encoder", sites=sites, latents=latents),
            instantiate(model["decoder"], kind=nn.Module, place="model.decoder", sites=sites, latents=latents),
            instantiate(model["prior"], kind=nn.Module, place="model.prior", latents=latents),
        )


def load(folder: str | Path) -> TrainedModel:
    """Return the trained model of a run folder, ready for evaluation.

    Raises:
        FileNotFoundError: if the folder holds no run or its training is not finished.
        ValueError: if it is no path.

    >>> load("outputs/none")
    Traceback (most recent call last):
    FileNotFoundError: run: expected a run folder with config.yaml and run.json, got outputs/none
    """
    run = find_run(require_path("folder", folder))
    record = read_record(run)
    vae = build_vae(run.config.model, record["sites"], run.config.seed)
    load_weights(vae, run.weights)
    # Records of version 0.1 hold no temperatures.
    asked = run.config.sampling.temperatures if "system" in run.config else [1.0]
    return TrainedModel(vae.eval(), tuple(record.get("temperatures", asked)))
