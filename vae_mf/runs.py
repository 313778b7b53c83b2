"""Run folders: a configuration becomes a folder that explains itself, and a folder becomes a model again.

The name of a run folder ends in a digest of its configuration: the same command finds its own folder, to resume it or
to skip it when it is finished, and a changed option never overwrites another run.
"""

import hashlib
import json
import os
import platform
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any

import hydra
import torch
from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vae_mf.checks import require_integer
from vae_mf.evaluation.tables import METRICS
from vae_mf.evaluation.trained_model import TrainedModel
from vae_mf.models.vae import VAE
from vae_mf.provenance import git_revision, software_versions
from vae_mf.rng import integer
from vae_mf.samplers.base import Sampler
from vae_mf.samplers.plan import configuration_kind, temperature_grid
from vae_mf.systems.base import System
from vae_mf.training.augmentation import augmentation
from vae_mf.training.vae_module import VAEModule
from vae_mf.training.weights import load_weights

EXPECTED = (HydraException, OmegaConfBaseException, MisconfigurationException, ValueError, OSError, ImportError)
"""Errors that a user's input, files or installation may cause; anything else is a defect and shows its traceback."""
LAUNCHERS = {"joblib": "joblib", "submitit_local": "slurm", "submitit_slurm": "slurm", "ray": "ray", "ray_aws": "ray"}
"""The extra of this package that installs each launcher of sweeps."""
PROJECT_ROOT = Path(__file__).resolve().parents[1]
IDENTITY = (
    "seed",
    "system",
    "sampler",
    "tempering",
    "sampling",
    "dataset",
    "model",
    "training",
    "trainer",
    "evaluation",
)
"""Groups that results depend on; threads and paths are not among them."""
CONFIG = "config.yaml"
RECORD = "run.json"
CHECKPOINTS = "checkpoints"
WEIGHTS = "model.safetensors"
FIGURES = "figures"
LOCK = ".lock"
FAILURE = "failure-*.txt"
DIGEST_LENGTH = 10


@dataclass(frozen=True)
class Run:
    """A run folder and the configuration that it belongs to."""

    folder: Path
    config: DictConfig

    @property
    def finished(self) -> bool:
        """Whether every stage is done; the metrics are written last."""
        return (self.folder / METRICS).exists()

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / CHECKPOINTS

    @property
    def weights(self) -> Path:
        """File of the trained weights."""
        return self.folder / WEIGHTS

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.folder / FIGURES

    @property
    def settings(self) -> dict[str, Any]:
        """The options that the results depend on, as plain values."""
        return OmegaConf.to_container(OmegaConf.masked_copy(self.config, list(IDENTITY)))  # pyright: ignore


def digest(*parts: Any) -> str:
    """Return a short hash of configuration nodes; an input file counts by what it holds, not by its name."""
    plain = [OmegaConf.to_container(part, resolve=True) if OmegaConf.is_config(part) else part for part in parts]
    text = json.dumps([contents(part) for part in plain], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def contents(node: Any, key: str = "") -> Any:
    """Return ``node`` with every existing file or folder under a key "path" or "file" replaced by its hash."""
    if isinstance(node, dict):
        return {name: contents(value, name) for name, value in node.items()}
    if key not in ("path", "file") or not isinstance(node, str) or not Path(node).exists():
        return node
    root = Path(node)
    files = sorted(file for file in root.rglob("*") if file.is_file()) if root.is_dir() else [root]
    fingerprint = hashlib.sha256()
    for file in files:
        fingerprint.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return fingerprint.hexdigest()


def run_digest(*, _root_: DictConfig) -> str:
    """Return the digest of everything in a configuration that its results depend on."""
    return digest(*(_root_.get(group) for group in IDENTITY))


OmegaConf.register_new_resolver("digest", digest, replace=True)
OmegaConf.register_new_resolver("run_digest", run_digest, replace=True)
OmegaConf.register_new_resolver("linear_grid", temperature_grid, replace=True)
OmegaConf.register_new_resolver("log_grid", partial(temperature_grid, spacing="log"), replace=True)
OmegaConf.register_new_resolver("project_root", lambda: str(PROJECT_ROOT), replace=True)


def entry_point(config_name: str) -> Callable[[Callable[[DictConfig], None]], Callable[[], None]]:
    """Make a function of a configuration a command; expected errors end it with one line and exit status 1.

    With HYDRA_FULL_ERROR=1 in the environment the traceback is shown instead.
    """

    def decorate(main: Callable[[DictConfig], None]) -> Callable[[], None]:
        def guarded_job(config: DictConfig) -> None:
            try:
                main(config)
            except Exception as error:
                if sweep_job() and "failed_jobs" in HydraConfig.get().callbacks:
                    record_failure(error)
                elif show_traceback or sweep_job() or not isinstance(error, EXPECTED):
                    raise
                else:
                    sys.exit(f"error: {one_line(error)}")

        command = hydra.main(version_base="1.3", config_path=str(PROJECT_ROOT / "conf"), config_name=config_name)
        show_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"

        def guarded_command() -> None:
            # Without this Hydra prints composition errors by itself, on several lines, and exits.
            os.environ["HYDRA_FULL_ERROR"] = "1"
            try:
                command(guarded_job)()
            except Exception as error:
                if show_traceback or not (isinstance(error, EXPECTED) or from_launcher(error)):
                    raise
                sys.exit(f"error: {one_line(error)}")

        return guarded_command

    return decorate


def from_launcher(error: BaseException) -> bool:
    """Return whether a launcher of sweeps gave up: there is no SLURM, or a job was killed; launching again goes on."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals["__name__"].startswith("hydra_plugins.") for frame, _ in frames)


def one_line(error: BaseException) -> str:
    """Return what an error says, on one line; an error raised while building an object speaks for itself."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        return one_line(error.__cause__)
    launcher = re.search(r"Could not find 'hydra/launcher/(\w+)'", str(error))
    if launcher and launcher[1] in LAUNCHERS:
        extra = LAUNCHERS[launcher[1]]
        return (
            f"hydra/launcher={launcher[1]}: expected its plugin, got none; install it with pip install -e '.[{extra}]'"
        )
    missing = re.search(r"Missing mandatory value: (\S+)", str(error))
    if missing:
        return f"{missing[1]}: expected a value, as in {missing[1]}=VALUE, got none"
    return " ".join(str(error).split()) or type(error).__name__


def sweep_job() -> str | None:
    """Return number and options of the job of a sweep that is running here, None outside a sweep."""
    job = HydraConfig.get()
    return f"job {job.job.num}: {' '.join(job.overrides.task)}" if job.mode == RunMode.MULTIRUN else None


def record_failure(error: Exception) -> None:
    """Write the error of a job of a sweep, its options and the traceback into the folder of the sweep."""
    job = HydraConfig.get()
    said = one_line(error) if isinstance(error, EXPECTED) else f"{type(error).__name__}: {one_line(error)}"
    text = "\n".join([said, *job.overrides.task, "", traceback.format_exc()])
    Path(job.sweep.dir, FAILURE.replace("*", f"{job.job.num:03d}")).write_text(text)


class FailedJobs(Callback):
    """Ends a sweep, after its last job, with the options and the error of every job that failed, and exit status 1.

    The jobs leave their errors in files: Hydra itself would name the first only and would not start another batch.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Remove what an earlier sweep left in a folder that is used again."""
        for path in Path(config.hydra.sweep.dir).glob(FAILURE):
            path.unlink()

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Read what the jobs left; SystemExit, because Hydra makes a warning of any other exception."""
        files = sorted(Path(config.hydra.sweep.dir).glob(FAILURE))
        lines = []
        for path in files:
            said, *options = path.read_text().partition("\n\n")[0].splitlines()
            varied = [option for option in options if option not in config.hydra.overrides.task]
            lines.append(f"  {' '.join(varied or options)}: {said}")
        if files:
            count = f"{len(files)} job{'s' if len(files) > 1 else ''}"
            where = files[0].with_name(FAILURE)
            sys.exit("\n".join([f"error: {count} of the sweep failed; tracebacks in {where}", *lines]))


def open_run(config: DictConfig) -> Run:
    """Create the run folder of ``config`` (or find it again) and write the resolved configuration into it.

    Raises:
        ValueError: if the folder belongs to another configuration, or the seed is no seed.
    """
    require_integer("seed", config.seed, minimum=0)
    run = Run(Path(config.run.folder), config)
    path = run.folder / CONFIG
    if path.exists():
        if OmegaConf.load(path).run.digest != config.run.digest:
            raise ValueError(f"run.folder: expected a folder of this configuration, got another run in {run.folder}")
    else:
        run.folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(OmegaConf.to_yaml(config, resolve=True))
        os.replace(partial, path)
    return run


@contextmanager
def discarded_if_refused(run: Run) -> Iterator[None]:
    """Remove the folder of a run that is refused before its training begins; in a sweep it stays, as unfinished."""
    try:
        yield
    except EXPECTED:
        if sweep_job() is None and not (run.folder / RECORD).exists():
            for name in (CONFIG, LOCK):
                (run.folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # something else lies there
                run.folder.rmdir()
        raise


def hold(run: Run, waiting: Callable[[str], Any]) -> AbstractContextManager[Any]:
    """Return a context that only one process may be in; tell ``waiting`` if another one is, and wait until it ends."""
    lock = FileLock(run.folder / LOCK)
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        waiting(f"waiting for another process that works on {run.folder}")
        return lock.acquire()


def find_runs(patterns: Iterable[str]) -> list[Run]:
    """Return the run folders that match any of these globs, by name; other folders are passed over.

    Raises:
        ValueError: if there is none.
    """
    folders = sorted({Path(path) for pattern in patterns for path in glob(pattern, recursive=True)})
    found = [Run(folder, read_config(folder)) for folder in folders if (folder / CONFIG).exists()]
    runs = [run for run in found if "run" in run.config]
    if not runs:
        raise ValueError(f"runs: expected globs that match run folders, got {list(patterns)}")
    return runs


def find_run(folder: Path) -> Run:
    """Return the run of a folder.

    Raises:
        FileNotFoundError: if the folder holds no run, or one whose training has not begun.
    """
    if not ((folder / CONFIG).exists() and (folder / RECORD).exists()):
        raise FileNotFoundError(f"run: expected a run folder with {CONFIG} and {RECORD}, got {folder}")
    return Run(folder, read_config(folder))


def read_config(folder: Path) -> DictConfig:
    """Return the configuration of a run folder."""
    config = OmegaConf.load(folder / CONFIG)
    assert isinstance(config, DictConfig)
    return config


def record_run(run: Run, sites: int) -> None:
    """Write beside the configuration what it does not say: number of sites, software, revision and machine."""
    record = {
        "sites": sites,
        "seed": run.config.seed,
        "revision": git_revision(),
        "software": software_versions(),
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
    (run.folder / RECORD).write_text(json.dumps(record, indent=2) + "\n")


def require_single_device_sweep(trainer: DictConfig) -> None:
    """Raise ValueError if a job of a sweep is to train on several devices.

    The processes of a distributed run start the command line again, which would start the whole sweep again.
    """
    if HydraConfig.get().mode == RunMode.MULTIRUN and (trainer.get("devices") != 1 or trainer.get("num_nodes", 1) != 1):
        raise ValueError(
            f"trainer.devices: expected 1 in a sweep, got {trainer.get('devices')}: every process of a distributed "
            "run starts the command line again, and with it the sweep; give each job one device"
        )


def build_sampler(config: DictConfig, system: System) -> Sampler:
    """Build the sampler of a configuration, inside parallel tempering if that is asked for."""
    sampler = hydra.utils.instantiate(config.sampler)(system)
    wrapper = config.get("tempering")
    return sampler if wrapper is None else hydra.utils.instantiate(wrapper)(sampler)


def build_vae(model: DictConfig, sites: int, seed: int) -> VAE:
    """Build a model for ``sites`` spins with weights drawn from ``seed``; torch's global generator stays as it was."""
    latents = require_integer("model.latents", model.latents)
    with torch.random.fork_rng():
        torch.manual_seed(integer(seed, "weights"))
        return VAE(
            hydra.utils.instantiate(model.encoder, sites=sites, latents=latents),
            hydra.utils.instantiate(model.decoder, sites=sites, latents=latents),
            hydra.utils.instantiate(model.prior, latents=latents),
        )


def build_module(config: DictConfig, sites: int, system: System | None = None) -> VAEModule:
    """Build the Lightning module of a configuration.

    Args:
        config: of the run.
        sites: number of sites N.
        system: what the data are samples of, to check that the model fits it; None for a recording.

    Raises:
        ValueError: if the model is for other configurations than those of the system, or the system has no such
            symmetry as the training is to use.
    """
    vae = build_vae(config.model, sites, config.seed)
    recipe = hydra.utils.instantiate(config.training)
    if system is not None:
        require_fit(config.model, vae, system)
    augment = augmentation(recipe.symmetries, getattr(system, "symmetries", ()))
    return recipe.module(vae=vae, seed=config.seed, augment=augment)


def require_fit(model: DictConfig, vae: VAE, system: System) -> None:
    """Raise ValueError unless encoder and decoder are for the configurations (spins or directors) of the system."""
    kind = configuration_kind(system)
    for part in ("encoder", "decoder"):
        found = configuration_kind(getattr(vae, part))
        if found != kind:
            name = model[part]._target_.rpartition(".")[2]
            raise ValueError(f"model/{part}: expected one for the {kind} of {system.name}, got {name} for {found}")


def load(folder: str | Path) -> TrainedModel:
    """Return the trained model of a run folder, ready for evaluation.

    Raises:
        FileNotFoundError: if the folder holds no run or its training is not finished.
    """
    run = find_run(Path(folder))
    sites = json.loads((run.folder / RECORD).read_text())["sites"]
    vae = build_vae(run.config.model, sites, run.config.seed)
    load_weights(vae, run.weights)
    return TrainedModel(vae.eval())
