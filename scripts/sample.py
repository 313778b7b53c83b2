"""Draw equilibrium samples of a system into a sealed Zarr store.

python scripts/sample.py system=hopfield system.sites=256 system.patterns=3 \
    'sampling.temperatures=[0.4,0.7,1.0]' sampling.samples=4000 store.path=PATH seed=1
"""

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track
from rich.table import Table

from vae_mf.runs import entry_point
from vae_mf.simulate import simulate
from vae_mf.store.sample_store import SampleStore


def report(store: SampleStore) -> Table:
    """Return the chain diagnostics per temperature as a table."""
    formats = {"autocorrelation_time": ".2f", "effective_size": ".0f", "split_rhat": ".3f", "agreement": ".3f"}
    table = Table("T", "samples", "tau", "effective", "R-hat", "agree p", "ensemble", caption="tau in draws")
    for temperature, row in zip(store.temperatures, store.diagnostics["temperatures"], strict=True):
        cells = ["-" if row[name] is None else format(row[name], spec) for name, spec in formats.items()]
        table.add_row(f"{temperature:.4g}", str(store.rows), *cells, row["ensemble"])
    return table


@entry_point("sample")
def main(cfg: DictConfig) -> None:
    """Sample, diagnose, seal and report."""
    console = Console()
    system = instantiate(cfg.system)
    store = simulate(
        system,
        instantiate(cfg.sampler)(system),
        instantiate(cfg.sampling),
        cfg.store.path,
        cfg.seed,
        progress=lambda blocks: track(blocks, "sampling", console=console),
        threads=cfg.threads,
    )
    console.print(report(store), f"store: {store.path}")


if __name__ == "__main__":
    main()
