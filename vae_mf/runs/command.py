"""A function of a configuration as a command of the shell."""

import os
import sys
import traceback
from collections.abc import Callable

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from vae_mf.paths import configurations
from vae_mf.runs.errors import EXPECTED, one_line
from vae_mf.runs.resolvers import register
from vae_mf.runs.sweeps import record_failure, sweep_job


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

        register()
        command = hydra.main(version_base="1.3", config_path=str(configurations()), config_name=config_name)
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
