"""Stores of samplers on a device: interrupted and resumed as uninterrupted, found from any device, and the command."""

import pytest
from helpers.commands import paths, run_all
from helpers.files import tree
from helpers.interruptions import Interrupted, after

from vae_mf.device_samplers import DeviceHopfieldGibbs, DeviceMaierSaupeDirect, DeviceMultispin
from vae_mf.samplers import ParallelTempering, Sampling
from vae_mf.simulation import simulate
from vae_mf.systems import Hopfield, Ising2D, MaierSaupe

HOPFIELD, ISING, NEMATIC = Hopfield.random(70, 3, seed=1), Ising2D(4), MaierSaupe(20)
REQUESTS = {
    "hopfield": (
        HOPFIELD,
        DeviceHopfieldGibbs(HOPFIELD, device="cpu"),
        Sampling((0.5, 1.0), 40, 5, 2, anneal=3, chains=20, blocks=4, opposite_starts=5),
    ),
    "multispin": (
        ISING,
        ParallelTempering(DeviceMultispin(ISING, "cpu")),
        Sampling((2.0, 3.0), 40, 2, 1, chains=20, blocks=4),
    ),
    "maier_saupe": (NEMATIC, DeviceMaierSaupeDirect(NEMATIC, "cpu"), Sampling((0.2, 0.3), 40, chains=20, blocks=4)),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_interrupted_and_resumed_equals_uninterrupted(request_, tmp_path):
    whole = simulate(*request_, tmp_path / "whole", seed=3, threads=1)
    with pytest.raises(Interrupted):
        simulate(*request_, tmp_path / "broken", seed=3, progress=after(2))
    simulate(*request_, tmp_path / "broken", seed=3)
    assert tree(tmp_path / "broken") == tree(tmp_path / "whole")
    assert "device" not in whole.attrs
    assert "cpu" not in str(whole.attrs)


@pytest.mark.slow
def test_the_command_samples_on_a_device_and_names_it(tmp_path):
    small = ["sampling.samples=20", "sampling.temperatures=[2.0,3.0]", *paths(tmp_path)]
    fixed = ["sampling.burn_in=2", "sampling.thinning=1", *small]
    jobs = [
        ["sample", "system=hopfield", "system.sites=16", "sampler=hopfield_device", "sampler.device=cpu", *small],
        ["sample", "system=ising2d", "system.side=4", "sampler=multispin_device", "tempering=parallel", *fixed],
        ["sample", "system=maier_saupe", "system.sites=8", "sampler=maier_saupe_device", *small],
        ["sample", "system=hopfield", "system.sites=16", "sampler=hopfield_device", "sampler.device=tpu", *small],
    ]
    *results, refused = run_all(jobs)
    for name, result in zip(("hopfield", "multispin", "maier_saupe"), results, strict=True):
        assert result.code == 0, result.err
        assert name in result.out
        assert "device: " in result.out
    assert len(list(tmp_path.rglob("*.zarr"))) == 3
    assert refused.code == 2
    assert refused.err.startswith("error: sampler.device: expected")
