"""Models of configurations, and trained models of run folders."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.checks import require_integer, require_path
from vae_mf.files import WEIGHTS, read_json, require_unchanged
from vae_mf.models.devices import AUTO, device_of
from vae_mf.models.temperature import UNCONDITIONED
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.runs import zoo
from vae_mf.runs.folder import DISCOVERY, Run, find_run, read_record
from vae_mf.runs.foreign import require_harmless
from vae_mf.runs.instantiate import instantiate
from vae_mf.training.weights import load_weights

if TYPE_CHECKING:
    from vae_mf.density_models.latent_classes import LatentClasses

BUILDABLE = "expected the settings of a model that can be built, got "
"""Words before the reason why one cannot."""


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


def load(
    folder: str | Path, extensions: Sequence[str] = (), device: str | torch.device = AUTO
) -> "TrainedModel | LatentClasses":
    """Return the trained model of a run, of a discovery or of the zoo, ready for evaluation.

    "zoo:hopfield" is one of the models that come with the project (docs/zoo.md), checked against its checksum and
    its own likelihoods. Of a discovery it is the model with the chosen number of latent variables, or of classes; its
    rows have the variables that were kept, in the order of the table "patterns", or "class_profiles".

    Args:
        folder: folder of the run or the discovery, or "zoo:NAME"; nothing in it is unpickled, and nothing but public
            objects of this package is built.
        extensions: packages or modules of your own whose objects it may name, too.
        device: "auto" for CUDA where there is one, "cpu", "cuda" or "cuda:1"; arrays go in and come out all the same.

    Raises:
        FileNotFoundError: if the folder holds no run or its training is not finished.
        ValueError: if it is no path, or a discovery that found neither latent variables nor classes.

    >>> load("outputs/none")
    Traceback (most recent call last):
    FileNotFoundError: run: expected a run folder with config.yaml and run.json, got outputs/none
    """
    if isinstance(folder, str) and folder.startswith(zoo.PREFIX):
        return load_released(folder.removeprefix(zoo.PREFIX), device_of(device))
    place = require_path("folder", folder)
    if (place / DISCOVERY).exists():
        return load_discovery(place, extensions, device_of(device))
    return load_run(find_run(place, extensions), device_of(device))


def load_run(run: Run, device: torch.device) -> TrainedModel:
    """Return the trained model of a run on a device, ready for evaluation.

    Raises:
        FileNotFoundError: if its training is not finished.
        ValueError: if a file of it is damaged.
    """
    record = read_record(run)
    with naming(run.folder, BUILDABLE):
        vae = build_vae(run.config.model, record["sites"], run.config.seed)
        # Records of version 0.1 hold no temperatures.
        asked = run.config.sampling.temperatures if "sampling" in run.config else [UNCONDITIONED]
        temperatures = tuple(map(float, record.get("temperatures", asked)))
    load_weights(vae, run.weights)
    return TrainedModel(vae.to(device).eval(), temperatures)


def load_released(name: str, device: torch.device) -> TrainedModel:
    """Return a model of the zoo on a device, verified on the processor, whose random numbers every machine has."""
    folder = zoo.unpacked(name)
    try:
        model = load_run(find_run(folder), torch.device("cpu"))
    except ValueError as error:
        raise ValueError(
            f"{zoo.PREFIX}{name}: expected the files of its release in {folder}, got others: delete the folder, and it "
            "is fetched again"
        ) from error
    zoo.require_its_likelihoods(model, folder)
    return TrainedModel(model.vae.to(device), model.temperatures)


@contextmanager
def naming(folder: Path, expected: str = "") -> Iterator[None]:
    """Let whatever fails in the work on a run, which may be one of several, name its folder.

    Args:
        folder: folder of the run.
        expected: words before the reason.

    Raises:
        ValueError: in place of any error of a value that is absent, of another kind or beyond all memory.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError, MemoryError) as error:
        if isinstance(error, ValueError) and str(folder) in str(error):
            raise
        said = " ".join((f"no {error}" if isinstance(error, KeyError) else str(error)).split())
        raise ValueError(f"{folder}: {expected}{said}") from error


def load_discovery(folder: Path, extensions: Sequence[str], device: torch.device) -> "TrainedModel | LatentClasses":
    """Return the model with the number of latent variables, or of classes, that a discovery has chosen."""
    from vae_mf.tables import METRICS, read_metrics  # loading the model of a run does not wait for pandas

    if not (folder / METRICS).exists():
        raise FileNotFoundError(
            f"folder: expected a finished discovery, got {folder}; the same command goes on with it"
        )
    require_unchanged(folder)
    metrics = read_metrics(folder)
    with naming(folder, BUILDABLE):
        settings = read_json(folder / DISCOVERY)["settings"]
        latents = metrics["latents"]
        classes = metrics["classes"]
    require_harmless(settings, folder / DISCOVERY, extensions)
    if classes:
        with naming(folder, BUILDABLE):
            return load_classes(folder)
    if not latents:
        raise ValueError(
            f"folder: expected a discovery that chose latent variables or classes, got {folder}, whose answer is "
            f'"{metrics["answer"]}"'
        )
    with naming(folder, BUILDABLE):
        vae = build_vae({**settings["model"], "latents": latents}, metrics["variables"], settings["seed"])
    kept = [folder / "models" / f"latents-{latents}{fit}" / WEIGHTS for fit in ("-refitted", "")]  # none: as trained
    load_weights(vae, next(filter(Path.exists, kept), kept[-1]))
    return TrainedModel(vae.to(device).eval(), (UNCONDITIONED,))


def load_classes(folder: Path) -> "LatentClasses":
    """Return the classes of rows that a discovery has chosen, from its tables."""
    from vae_mf.density_models.latent_classes import LatentClasses
    from vae_mf.density_models.mixture import BernoulliMixture
    from vae_mf.tables import read_tables

    tables = read_tables(folder)
    profiles = tables["class_profiles"].drop(columns="variable")
    mixture = BernoulliMixture(profiles.shape[1])
    mixture.n_features_in_ = len(profiles)
    mixture.weights_ = tables["class_summary"].weight.to_numpy()
    mixture.probabilities_ = profiles.to_numpy().T
    return LatentClasses(mixture)
