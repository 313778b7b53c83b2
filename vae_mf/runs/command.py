"""A function of a configuration run by Hydra, as one job or as the jobs of a sweep."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence

from hydra._internal.utils import _run_hydra, get_args, get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from vae_mf.checks import require_path
from vae_mf.paths import configurations
from vae_mf.runs.errors import is_expected, is_usage, one_line, refused_option
from vae_mf.runs.resolvers import register
from vae_mf.runs.status import USAGE, complain, terminate
from vae_mf.runs.sweeps import record_failure, sweep_job

Job = Callable[[DictConfig], None]
FULL_ERROR = "HYDRA_FULL_ERROR"
"""Environment variable: with 1 the traceback of an expected error is shown."""

register()  # on import, because the processes of a sweep import this module before they read a configuration


class Guarded:
    """A job whose expected errors end it with one line and exit status 1, and which the jobs of a sweep write down."""

    def __init__(self, job: Job, show_traceback: bool) -> None:
        self.job = job
        self.show_traceback = show_traceback

    def __call__(self, config: DictConfig) -> None:
        """Run the job."""
        try:
            for name, place in config.get("paths", {}).items():
                require_path(f"paths.{name}", place)
            self.job(config)
        except BrokenPipeError:  # nobody reads on, which is no error of the job
            raise
        except Exception as error:
            option = refused_option(error, config)
            said = one_line(error, option)
            if sweep_job() and "failed_jobs" in HydraConfig.get().callbacks:
                record_failure(error, said)
            elif self.show_traceback or sweep_job() or not is_expected(error):
                raise
            else:
                complain(f"error: {said}")
                sys.exit(USAGE if is_usage(option, config) else 1)


def launch(job: Job, root: str, words: Sequence[str]) -> None:
    """Run a function of the configuration that a root file and the words of a command line give.

    Args:
        job: function to run.
        root: name of the root file, and of the job.
        words: assignments and, behind them, flags, in the grammar of Hydra.
    """
    show_traceback = os.environ.get(FULL_ERROR) == "1"
    signal.signal(signal.SIGTERM, terminate)
    sys.path.append(os.getcwd())  # a part of the user's own may lie in the working folder
    # Without this Hydra prints composition errors by itself, on several lines, and exits.
    os.environ[FULL_ERROR] = "1"
    try:
        # Not by sys.argv: the processes of a distributed run are started with the words as they were typed.
        _run_hydra(
            args=get_args([f"hydra.job.name={root}", *words]),
            args_parser=get_args_parser(),
            task_function=Guarded(job, show_traceback),
            config_path=str(configurations()),
            config_name=root,
        )
    except BrokenPipeError:
        raise
    except Exception as error:
        if show_traceback or not (is_expected(error) or from_launcher(error)):
            raise
        complain(f"error: {one_line(error)}")
        sys.exit(1)


def from_launcher(error: BaseException) -> bool:
    """Return whether a launcher of sweeps gave up: there is no SLURM, or a job was killed; launching again goes on."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals["__name__"].startswith("hydra_plugins.") for frame, _ in frames)
