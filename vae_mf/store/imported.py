"""Samples of any other simulation as a sealed store, with the order of their rows measured or as it is declared."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Int8

from vae_mf.arrays import Chains
from vae_mf.checks import (
    require_array,
    require_integer,
    require_positive,
    require_temperatures,
    shown,
)
from vae_mf.packing import pack_spins
from vae_mf.provenance import git_revision, software_versions
from vae_mf.statistics.row_order import RHAT_LIMIT, TIMES, autocorrelation_time, chunks, covariance, split_rhat
from vae_mf.store.sample_store import SampleStore, open_store, open_writer
from vae_mf.store.schema import StoreLayout, system_parameters

IMPORTED = "imported"
"""Provenance of these samples, and the ensemble of those that have not forgotten where they started."""
EQUILIBRIUM = "equilibrium"
FEWEST, MOST = 10, 100
"""Pieces that all chains of a temperature are cut into, unless there are more chains."""
BLOCKS = range(10, 20)
"""Numbers of blocks, of which that counts that leaves out fewest pieces."""
ChainSpins = Int8[np.ndarray, "chains draws sites"]


@runtime_checkable
class Observed(Protocol):
    """The part of a system that a store of its spins asks for."""

    name: str
    kind: str

    @property
    def sites(self) -> int:
        """Number of sites N."""
        ...

    def energy(self, configurations: Any, /) -> Float[np.ndarray, "*batch"]:
        """Return the energy of each configuration."""
        ...

    def order_parameter(self, configurations: Any, /) -> Float[np.ndarray, "*batch"]:
        """Return the signed order parameter of each configuration."""
        ...

    def basin(self, configurations: Any, /) -> Int[np.ndarray, "*batch"]:
        """Return the signed label of the valley nearest to each configuration."""
        ...


class Cut(NamedTuple):
    """Chains in pieces of equal length, which count as independent of each other, and these in blocks."""

    chains: int
    per_chain: int
    draws: int
    """Rows of a piece."""
    blocks: int

    @property
    def pieces(self) -> int:
        """Number of pieces that are kept, those of one block next to each other."""
        return self.chains * self.per_chain // self.blocks * self.blocks

    def rows(self, spins: ChainSpins) -> Int8[np.ndarray, "pieces piece_rows sites"]:
        """Return the pieces of all chains."""
        kept = spins[:, : self.per_chain * self.draws]
        return kept.reshape(-1, self.draws, spins.shape[2])[: self.pieces]


def from_arrays(
    arrays: Any,
    *,
    folder: str | Path,
    system: Any = None,
    chains: int | None = None,
    spacing: int | float | None = None,
    waiting: Callable[[str], Any] = lambda _: None,
) -> SampleStore:
    """Return a sealed store of configurations of spins that any other simulation has drawn.

    Chains are cut into pieces longer than their memory, which are what a training holds out and what errors rest on.
    The same arrays again find their store; others at the same place are refused.

    >>> spins = np.random.default_rng(1).choice(np.int8([-1, 1]), (400, 9))
    >>> store = from_arrays({0.5: spins, 1.0: spins[::-1]}, folder="memory://examples/own.zarr")
    >>> store.temperatures.tolist(), store.rows, store.attrs["chains"], store.attrs["provenance"]
    ([0.5, 1.0], 400, 100, 'imported')

    Args:
        arrays: Mapping from temperatures T (k_B = 1) to configurations, (rows, sites) in the order in which they were
            drawn, or (chains, rows, sites); entries are -1 and +1, 0 and 1, or booleans.
        folder: Folder of the store, or its URL.
        system: System that they are of, such as `vae_mf.systems.Ising2D(6)`; None where it is not known.
        chains: Number of independent chains, one after the other, in arrays (rows, sites); None for one.
        spacing: Number of rows from one independent configuration to the next, 1 if all are; None to measure it.
        waiting: Called with a sentence before the claim of another writer on a remote store is watched.

    Raises:
        ValueError: If an array or a temperature is no such thing, or the system is not one of these spins.
        StoreError: If anything but the store of these arrays is in the folder.
    """
    if not isinstance(arrays, Mapping):
        raise ValueError(f"arrays: expected a mapping from temperatures to spins, got {shown(arrays)}")
    if spacing is not None and require_positive("spacing", spacing) < 1:
        raise ValueError(f"spacing: expected at least 1 row, got {spacing}")
    temperatures = require_temperatures(list(arrays)).tolist()
    spins = as_spins({t: in_chains(t, each, chains) for t, each in zip(temperatures, arrays.values(), strict=True)})
    shapes = {t: each.shape for t, each in spins.items()}
    require_same(shapes)
    count, draws, sites = next(iter(shapes.values()))
    require_system(system, sites)
    observed = {t: observables(each, system) for t, each in spins.items()}
    memory = {t: memory_of(each, observed[t], spacing) for t, each in spins.items()}
    cut = cut_chains(count, draws, max(memory.values()))
    scalars = {t: scalar_columns(cut.rows(each), system) for t, each in spins.items()}
    columns = {name: values.dtype.name for name, values in scalars[temperatures[0]].items()}
    rows = cut.pieces // cut.blocks * cut.draws
    layout = StoreLayout(sites, tuple(temperatures), cut.blocks, rows, columns)
    attrs, constants = description(spins, system, cut, spacing)
    packed = np.stack([pack_spins(cut.rows(each)).reshape(cut.blocks, rows, -1) for each in spins.values()], axis=1)
    with open_writer(folder, layout, attrs, constants, waiting) as writer:
        if not writer.sealed:
            for block in range(writer.committed, cut.blocks):
                part = {
                    name: np.stack([scalars[t][name].reshape(cut.blocks, rows)[block] for t in temperatures])
                    for name in columns
                }
                writer.write_block(block, packed[block], part)
            reports = [report(observed[t], memory[t]) for t in temperatures]
            writer.seal({"temperatures": reports, "software": software_versions(), "revision": git_revision()})
    return open_store(folder)


def in_chains(temperature: float, values: Any, chains: int | None) -> np.ndarray:
    """Return the configurations of a temperature as (chains, draws, sites), still as they came."""
    name = f"arrays[{temperature:g}]"
    array = require_array(name, values)
    if array.ndim == 2:
        count = 1 if chains is None else require_integer("chains", chains)
        if len(array) % count:
            raise ValueError(f"chains: expected a divisor of the {len(array)} rows at T = {temperature:g}, got {count}")
        array = array.reshape(count, len(array) // count, array.shape[1])
    elif array.ndim != 3:
        raise ValueError(f"{name}: expected axes (rows, sites) or (chains, rows, sites), got shape {array.shape}")
    elif chains is None and array.shape[1] == array.shape[2] > 1:
        count, side, _ = array.shape
        raise ValueError(
            f"{name}: expected axes (rows, sites) or (chains, rows, sites), got shape {array.shape}, which may be "
            f"{count} lattices: reshape it to ({count}, {side * side}) if so, otherwise set `chains` to {count}"
        )
    elif chains is not None and chains != len(array):
        raise ValueError(f"chains: expected the {len(array)} of the array, or None, got {shown(chains)}")
    if array.size == 0:
        raise ValueError(f"{name}: expected at least one row and one site, got shape {array.shape}")
    return array


def as_spins(arrays: Mapping[float, np.ndarray]) -> dict[float, ChainSpins]:
    """Return binary arrays as -1 and +1; one code counts for all of them, as an ordered phase may have one value.

    >>> as_spins({0.1: np.ones((1, 1, 2)), 2.0: np.array([[[0, 1]]])})[2.0].tolist()
    [[[-1, 1]]]
    """
    low = {temperature: array.min() for temperature, array in arrays.items()}
    silent = -1 if min(low.values()) == -1 else 0
    for temperature, array in arrays.items():
        strange = array[(array != 1) & (array != silent)]
        if strange.size:
            others = " and ".join(("-1" if silent else "0", "1"))
            lengths = np.linalg.norm(array.astype(np.float64), axis=-1)
            directors = array.shape[2] == 3 and array.dtype.kind == "f" and np.allclose(lengths, 1, atol=1e-3)
            advice = "directors are drawn by vae-mf sample alone" if directors else "turn the two states into -1 and +1"
            raise ValueError(
                f"arrays[{temperature:g}]: expected entries -1 and 1, or 0 and 1, the same at all temperatures, got "
                f"{strange.flat[0]} beside {others}: {advice}"
            )
    return {t: np.where(array == 1, 1, -1).astype(np.int8) for t, array in arrays.items()}


def require_same(shapes: Mapping[float, tuple[int, ...]]) -> None:
    """Raise ValueError unless there are as many sites, chains and rows at all temperatures, and enough rows."""
    (first, wanted), *others = shapes.items()
    for temperature, shape in others:
        for name, one, other in zip(("chains", "rows", "sites"), wanted, shape, strict=True):
            if one != other:
                advice = "give the same number of each" if name != "rows" else f"leave out all but {min(one, other)}"
                got = f"{one} at T = {first:g} and {other} at T = {temperature:g}"
                raise ValueError(f"arrays: expected as many {name} at all temperatures, got {got}: {advice}")
    count, draws, _ = wanted
    if count * draws < FEWEST:
        raise ValueError(f"arrays: expected at least {FEWEST} rows at each temperature, got {count * draws}")


def require_system(system: Any, sites: int) -> None:
    """Raise ValueError unless a system is one of so many spins, or not known."""
    if system is None:
        return
    if not isinstance(system, Observed):
        raise ValueError(f"system: expected one such as vae_mf.systems.Ising2D(6), or None, got {shown(system)}")
    if system.kind != "spins":
        raise ValueError(f"system: expected one of spins, got {system.name}, one of {system.kind}")
    if system.sites != sites:
        raise ValueError(
            f"system: expected one of {sites} sites, as in the arrays, got {system.name} of {system.sites}"
        )


def observables(spins: ChainSpins, system: Observed | None) -> dict[str, Chains]:
    """Return what the memory of chains is measured by: order parameter, first component and, if it is known, energy."""
    rows = spins.reshape(-1, spins.shape[2])
    component = np.linalg.eigh(covariance(rows))[1][:, -1].astype(np.float32)
    along = np.concatenate([part @ component for part in chunks(rows)]).astype(np.float64)
    found = {"component": along.reshape(spins.shape[:2])}
    order = spins.mean(2, dtype=np.float64) if system is None else system.order_parameter(spins)
    found |= {"order parameter": order, "|order parameter|": np.abs(order)}
    return found if system is None else found | {"energy": system.energy(spins)}


def memory_of(spins: ChainSpins, observed: Mapping[str, Chains], spacing: int | float | None) -> float:
    """Return the number of rows from one independent configuration to the next, 1 for independent ones."""
    if spacing is not None:
        return float(spacing)
    return (
        max(1.0, 2 * max(autocorrelation_time(chains) for chains in observed.values())) if spins.shape[1] > 1 else 1.0
    )


def cut_chains(chains: int, draws: int, memory: float) -> Cut:
    """Return how chains are cut: into pieces of at least 2.5 times their memory, as far as there are enough.

    >>> cut_chains(chains=1, draws=5000, memory=40.0), cut_chains(chains=30, draws=7, memory=90.0)
    (Cut(chains=1, per_chain=50, draws=100, blocks=10), Cut(chains=30, per_chain=1, draws=7, blocks=10))
    """
    fewest = -(-FEWEST // chains)
    most = int(draws // (TIMES * memory if memory > 1 else 1))
    most = max(fewest, min(most, MOST // chains))
    per_chain = max(range(max(fewest, most // 2), most + 1), key=lambda count: (draws // count * count, count))
    pieces = chains * per_chain
    return Cut(chains, per_chain, draws // per_chain, min(BLOCKS, key=lambda blocks: (pieces % blocks, blocks)))


def scalar_columns(spins: ChainSpins, system: Observed | None) -> dict[str, np.ndarray]:
    """Return the observables of every row that a store keeps."""
    rows = spins.reshape(-1, spins.shape[2])
    if system is None:
        return {"order_parameter": rows.mean(1, dtype=np.float64)}
    return {
        "energy": system.energy(rows).astype(np.float64),
        "order_parameter": system.order_parameter(rows).astype(np.float64),
        "basin": system.basin(rows).astype(np.int32),
    }


def description(
    spins: Mapping[float, ChainSpins], system: Observed | None, cut: Cut, spacing: int | float | None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what tells these samples from others: a hash of all of them, their system and how they were cut."""
    numbers, constants = ({}, {}) if system is None else system_parameters(system)
    content = hashlib.sha256()
    for temperature, each in spins.items():
        content.update(f"{temperature!r} {each.shape}".encode() + pack_spins(each).tobytes())
    first = next(iter(spins.values()))
    attrs = {
        "system": "samples" if system is None else system.name,
        **numbers,
        "provenance": IMPORTED,
        "sha256": content.hexdigest(),
        "chains": cut.pieces,
        "draws": cut.draws,
        "own_chains": cut.chains,
        "spacing": spacing,
        "rows_left_out": first.shape[0] * first.shape[1] - cut.pieces * cut.draws,
    }
    return attrs, constants


def report(observed: Mapping[str, Chains], memory: float) -> dict[str, Any]:
    """Return the diagnostics of the chains at one temperature, as those of a sampler.

    There are no chains that started the opposite way. They are taken for equilibrium unless chains, or the halves of
    one, differ, which with theory at hand is checked against it before a training.
    """
    worst = max(split_rhat(chains) for chains in observed.values())
    size = next(iter(observed.values())).size / memory
    return {
        "autocorrelation_time": memory / 2,
        "effective_size": size,
        "split_rhat": worst,
        "agreement": float("nan"),
        "ensemble": IMPORTED if worst >= RHAT_LIMIT else EQUILIBRIUM,
    }
