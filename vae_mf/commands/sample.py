r"""Draw equilibrium samples of a system into a sealed store, and report on them.

vae-mf sample system.patterns=5 'sampling.temperatures=[0.4,1.0]'
vae-mf sample experiment=sampling/ising2d_quick
vae-mf sample system=sherrington_kirkpatrick tempering=parallel \
    'sampling.temperatures=[0.3,1.5]' sampling.swap_acceptance=0.3
"""

from functools import partial

import numpy as np
import pandas as pd
from omegaconf import DictConfig
from rich.table import Table

from vae_mf.checks import require_flag, require_integer, require_path, require_working_memory
from vae_mf.files import only_one
from vae_mf.plotting.runs import draw_sampling
from vae_mf.plotting.style import save_figure
from vae_mf.runs.folder import place_of_results
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.progress import stage_progress
from vae_mf.runs.sampling import build_sampler, build_sampling
from vae_mf.runs.terminal import Terminal
from vae_mf.samplers.base import Sampler, available_threads, on_device
from vae_mf.samplers.plan import Sampling, plan
from vae_mf.simulation import bytes_of_samples, simulate
from vae_mf.statistics.chain_tables import sampling_tables
from vae_mf.store.chains import chains_of
from vae_mf.store.sample_store import SampleStore
from vae_mf.tables import write_tables

COLUMNS = {
    "autocorrelation_time": ("tau", ".2f"),
    "effective_size": ("ESS", ".0f"),
    "split_rhat": ("R-hat", ".3f"),
    "agreement": ("p", ".3f"),
    "jump_acceptance": ("jumps", ".2f"),
    "swap_acceptance": ("swaps", ".2f"),
}
"""Heading and format of every diagnostic."""


def printed(chains: pd.DataFrame) -> Table:
    """Return the chain diagnostics per temperature as a table to print."""
    shown = {name: column for name, column in COLUMNS.items() if name in chains and chains[name].notna().any()}
    caption = f"{chains.samples.max()} samples per temperature; tau in draws"
    caption += "; p: opposite starts agree" if "agreement" in shown else ""
    if "round_trip_rate" in chains:
        caption += f"; one round trip in {1 / chains.round_trip_rate.mean():.0f} sweeps"
    table = Table("T", *(heading for heading, _ in shown.values()), "ensemble", caption=caption)
    for row in chains.itertuples():
        values = [getattr(row, name) for name in shown]
        cells = ["-" if pd.isna(v) else format(v, shown[name][1]) for name, v in zip(shown, values, strict=True)]
        table.add_row(f"{row.temperature:.4g}", *cells, str(row.ensemble))
    return table


def by_temperature(store: SampleStore, name: str) -> dict[float, np.ndarray]:
    """Return an observable of every row at each temperature."""
    return {t: store.scalar(name, level) for level, t in enumerate(store.temperatures.tolist())}


def place_of(sampler: Sampler, sampling: Sampling, threads: int | None) -> str:
    """Return a phrase on the device that draws, and what it takes of its memory, or on the threads."""
    workers = threads or available_threads()
    if (moving := on_device(sampler)) is None:
        return f"threads: {workers}"
    chains = sampling.chain_count // sampling.block_count * len(sampling.levels)
    taken = max(0.01, moving.bytes_at_once(chains, workers) / 1e9)
    return f"device: {moving.device}, about {taken:.2g} GB of its memory"


def main(cfg: DictConfig) -> None:
    """Sample, diagnose, seal and report."""
    console = Terminal()
    system = instantiate(cfg.system)
    sampler = build_sampler(cfg, system)
    request = build_sampling(cfg, sampler)
    require_integer("seed", cfg.seed, minimum=0)
    verify = require_flag("verify", cfg.verify)
    folder = place_of_results("report", cfg.report)
    require_path("store.path", cfg.store.path)
    if cfg.threads is not None:
        require_integer("threads", cfg.threads)
    with stage_progress(console) as progress:
        choosing = progress.add_task("choosing temperatures, burn-in and thinning", total=None)
        sampling = plan(system, sampler, request, cfg.seed, cfg.threads)
        progress.remove_task(choosing)
        advice = "draw fewer, or raise sampling.blocks"
        require_working_memory("sampling", bytes_of_samples(system, sampling), advice, console.say)
        console.print(
            f"{system.name}, {system.sites} sites, {len(sampling.levels)} temperatures x {sampling.samples} samples, "
            f"{sampler.name}, {place_of(sampler, sampling, cfg.threads)}"
        )
        track = partial(progress.track, description="sampling")
        store = simulate(system, sampler, sampling, cfg.store.path, cfg.seed, track, cfg.threads, console.say)
    for remark in store.remarks:
        console.say(remark)
    if verify:
        store.verify()
        rows = f"{store.rows} rows at each of {len(store.temperatures)} temperatures"
        console.say(f"verified: {rows} are as they were written")
    energies, orders = (by_temperature(store, name) for name in ("energy", "order_parameter"))
    tables = sampling_tables(system, energies, orders, sampling.chain_count, chains_of(store).reports)
    with only_one(folder, console.say):
        write_tables(folder, tables)
        figure = save_figure(draw_sampling(tables), folder, "report")
    console.print(printed(tables["chains"]))
    console.place("figure", figure)
    console.place("store", store.path)
