"""The page on GPUs and clusters: options of launchers that it gives exist."""

import re
from dataclasses import fields

import pytest
from helpers import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")


def test_options_of_the_slurm_launcher_exist():
    config = pytest.importorskip("hydra_plugins.hydra_submitit_launcher.config", reason="comes with the extra slurm")
    given = set(re.findall(r"(?<!\+)hydra\.launcher\.(\w+)=", PAGE))
    assert given == {"partition", "gpus_per_node", "cpus_per_task", "mem_gb", "timeout_min", "max_num_timeout"}
    assert given <= {field.name for field in fields(config.SlurmQueueConf)}
