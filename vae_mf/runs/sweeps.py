"""Jobs of a sweep: their names, their failures, and the report on these at the end."""

import os
import sys
import traceback
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from vae_mf.runs.errors import is_expected
from vae_mf.runs.status import complain

FAILURE = "failure-*.txt"
NUMBERS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Environment variables from which Lightning takes the number of a process, the first that is set."""


def process_number() -> int:
    """Return the number of this process among those of a distributed run, without waiting for Lightning."""
    return next((int(os.environ[name]) for name in NUMBERS if name in os.environ), 0)


def typed(config: DictConfig | HydraConf) -> list[str]:
    """Return the options of a command line from the configuration of Hydra, interpolations as they were typed."""
    return OmegaConf.to_container(config.overrides.task, resolve=False)  # pyright: ignore


def sweep_job() -> str | None:
    """Return number and options of the job of a sweep that is running here, None outside a sweep."""
    job = HydraConfig.get()
    return f"job {job.job.num}: {' '.join(typed(job))}" if job.mode == RunMode.MULTIRUN else None


def record_failure(error: Exception, said: str) -> None:
    """Write the error of a job of a sweep, its options and the traceback into the folder of the sweep."""
    job = HydraConfig.get()
    head = said if is_expected(error) else f"{type(error).__name__}: {said}"
    text = "\n".join([head, *typed(job), "", traceback.format_exc()])
    Path(job.sweep.dir, FAILURE.replace("*", f"{job.job.num:03d}")).write_text(text, encoding="utf-8")


class FailedJobs(Callback):
    """Ends a sweep, after its last job, with the options and the error of every job that failed, and exit status 1.

    The jobs leave their errors in files: Hydra itself would name the first only and would not start another batch.

    >>> isinstance(FailedJobs(), Callback)  # named under hydra.callbacks in the commands' configurations
    True
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
            said, *options = path.read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
            varied = [option for option in options if option not in typed(config.hydra)]
            lines.append(f"  {' '.join(varied or options)}: {said}")
        if files:
            count = f"{len(files)} job{'s' if len(files) > 1 else ''}"
            where = files[0].with_name(FAILURE)
            complain(f"error: {count} of the sweep failed; tracebacks in {where}", *lines)
            sys.exit(1)


def require_single_device_sweep(trainer: DictConfig) -> None:
    """Raise ValueError if a job of a sweep is to train on several devices.

    The processes of a distributed run start the command line again, which would start the whole sweep again.
    """
    if HydraConfig.get().mode == RunMode.MULTIRUN and (trainer.get("devices") != 1 or trainer.get("num_nodes", 1) != 1):
        raise ValueError(
            f"trainer.devices: expected 1 in a sweep, got {trainer.get('devices')}: every process of a distributed "
            "run starts the command line again, and with it the sweep; give each job one device"
        )
