"""Shared fixtures."""

import os

# Before any library starts its threads: the workers of a parallel run already use every core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Before matplotlib is imported, by the commands that tests start, too.
os.environ["MATPLOTLIBRC"] = os.path.join(os.path.dirname(__file__), "matplotlibrc")

from importlib import import_module

import pytest
from hypothesis import settings

from vae_mf.runs.garbage import collect_rarely

# The machine's speed is no property of the code, and the examples are the same in every run.
settings.register_profile("vae_mf", deadline=None, derandomize=True)
settings.load_profile("vae_mf")
collect_rarely()
LIBRARIES = ("matplotlib.pyplot", "numba", "pandas", "pytorch_lightning", "scipy.stats", "sklearn.pipeline", "zarr")


def pytest_collectstart():
    """Import the libraries before the package, unless this process only hands out the tests.

    The import hook of the run-time checks has all that a module of the package imports first compiled from its source.
    """
    for library in LIBRARIES:
        import_module(library)


def pytest_collection_modifyitems(items):
    """Let an example in a docstring that warns fail: its reader would see the warning, and the example does not."""
    for item in items:
        if isinstance(item, pytest.DoctestItem):
            item.add_marker(pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning"))
            item.add_marker(pytest.mark.filterwarnings("error::UserWarning:vae_mf"))


@pytest.fixture
def without_type_checks():
    """Call functions as users do: annotations are checked under pytest only, and would refuse before the code does."""
    from jaxtyping import config

    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture
def compose_config():
    """Compose a configuration as the command line does; interpolations of Hydra's own choices resolve too."""
    from hydra import compose, initialize_config_dir
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict

    from vae_mf.paths import configurations
    from vae_mf.runs.resolvers import register

    register()

    def build(name, *overrides):
        with initialize_config_dir(str(configurations()), version_base="1.3"):
            config = compose(name, list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        with open_dict(config):
            del config["hydra"]
        return config

    yield build
    HydraConfig.instance().cfg = None
