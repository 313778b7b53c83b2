"""Schema of a sample store: its arrays, their codecs, and the header that tells one store from another.

    zarr.json            header: schema, layout, system arrays, the caller's attrs; on sealing diagnostics and sizes
    committed            number of finished blocks, written after their data
    checksums            checksums of the chunks of every finished block, see checksums.py
    system/<name>        constant arrays, such as stored patterns
    T000/spins           packed spins (rows, bytes), one chunk per block; or, in a store of directors,
    T000/directors       unit vectors (rows, sites, 3), float32
    T000/<scalar>        one named observable (rows,), one chunk per block

A block is the same range of rows at every temperature and holds whole Markov chains, so no chunk splits a trajectory.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped
from scipy import sparse
from zarr.codecs import Crc32cCodec, ZstdCodec

from vae_mf.checks import plain_number, require_choice, require_integer, require_temperatures, shown
from vae_mf.packing import packed_bytes

SCHEMA = "vae_mf.samples"
SCHEMA_VERSION = 1
BIT_ORDER = "little"

SPINS = "spins"
DIRECTORS = "directors"
SYSTEM = "system"
COMMITTED = "committed"
METADATA = "zarr.json"
"""Zarr's file in every group and array; the one at the root is the header of the store."""
COMPRESSORS = (ZstdCodec(level=3), Crc32cCodec())
"""The checksum comes last, so that a damaged file is noticed before it is decompressed."""
CHUNK_KEYS = {"name": "default", "separator": "."}
"""All chunks of an array are files `c.<block>` or `c.<block>.0` of one folder."""


class StoreError(ValueError):
    """A store is not what was asked for: absent, foreign, unfinished, damaged, different or in use."""


class NoStoreError(StoreError):
    """Something else than a store is there, perhaps data of another kind."""


@dataclass(frozen=True)
class ArraySpec:
    """Shape, chunk shape and dtype of one array, chunked along its first axis only."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str

    def chunk_names(self, rows: int | None = None) -> list[str]:
        """Return the names of the chunk files that hold the first ``rows`` rows, by default all of them.

        >>> ArraySpec((6, 4), (2, 4), "uint8").chunk_names(4)
        ['c.0.0', 'c.1.0']
        """
        if not self.shape:
            return ["c"]
        return [f"c.{index}" + ".0" * (len(self.shape) - 1) for index in range(self.chunk_count(rows))]

    def chunk_count(self, rows: int | None = None) -> int:
        """Return the number of chunks that hold the first ``rows`` rows, by default of all of them."""
        return (self.shape[0] if rows is None else rows) // self.chunks[0] if self.shape else 1


@dataclass(frozen=True)
class StoreLayout:
    """Size of a store: ``blocks * rows_per_block`` rows of ``sites`` spins or directors at each temperature (k_B = 1).

    Attributes:
        sites: Number of spins or directors N.
        temperatures: Distinct temperatures T > 0.
        blocks: Number of blocks, each written and committed as a whole.
        rows_per_block: Rows of one block at one temperature, whole Markov chains of them.
        scalars: NumPy dtype (boolean, integer or float) of each named observable.
        kind: Kind of the configurations, and name of their array: "spins" (packed bits) or "directors" (float32).

    Raises:
        ValueError: If a size is below one, a temperature is not positive, a scalar has no usable name or dtype, or
            ``kind`` is neither.
    """

    sites: int
    temperatures: tuple[float, ...]
    blocks: int
    rows_per_block: int
    scalars: Mapping[str, str]
    kind: str = SPINS

    def __post_init__(self) -> None:
        require_choice("kind", self.kind, (SPINS, DIRECTORS))
        for name in ("sites", "blocks", "rows_per_block"):
            require_integer(name, getattr(self, name))
        require_temperatures(self.temperatures)
        for name, dtype in self.scalars.items():
            _require_name("scalars", name, self.kind)
            _plain_dtype(f"scalars.{name}", dtype)

    @property
    def rows(self) -> int:
        """Rows at each temperature once all blocks are written."""
        return self.blocks * self.rows_per_block

    def columns(self) -> dict[str, ArraySpec]:
        """Return the arrays kept at every temperature, the configurations first."""
        row, dtype = ((packed_bytes(self.sites),), "uint8") if self.kind == SPINS else ((self.sites, 3), "float32")
        configurations = ArraySpec((self.rows, *row), (self.rows_per_block, *row), dtype)
        scalars = {
            name: ArraySpec((self.rows,), (self.rows_per_block,), _plain_dtype(name, dtype))
            for name, dtype in self.scalars.items()
        }
        return {self.kind: configurations} | scalars


MARKER = ArraySpec((), (), "int64")
"""The scalar array `committed`."""


def group_path(level: int) -> str:
    """Return the path inside a store of the group of a level, the index of its temperature."""
    return f"T{level:03d}"


def column_path(level: int, name: str) -> str:
    """Return the path inside a store of array ``name`` at a level.

    >>> column_path(3, "energy")
    'T003/energy'
    """
    return f"{group_path(level)}/{name}"


def make_header(
    layout: StoreLayout, attrs: Mapping[str, Any], arrays: Mapping[str, Shaped[np.ndarray, "..."]]
) -> dict[str, Any]:
    """Return the root attributes of a new store, or raise ValueError where they cannot be written as JSON.

    Constant arrays enter by digest, so that comparing two headers compares everything but the samples.
    """
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "bit_order": BIT_ORDER,
        "sites": int(layout.sites),
        "temperatures": [float(value) for value in layout.temperatures],
        "blocks": int(layout.blocks),
        "rows_per_block": int(layout.rows_per_block),
        "configurations": layout.kind,
        "scalars": {name: _plain_dtype(name, dtype) for name, dtype in layout.scalars.items()},
        "arrays": {name: _describe(name, values) for name, values in arrays.items()},
        "attrs": plain_json("attrs", attrs),
    }


def system_parameters(system: Any) -> tuple[dict[str, int | float | str], dict[str, np.ndarray]]:
    """Return the numbers and the arrays that define a system; a sparse matrix becomes its rows, columns and values.

    Raises:
        ValueError: if it has an attribute of another kind, by which its samples could not be told from others.
    """
    numbers, arrays = {}, {}
    for name, attribute in vars(system).items():
        value = plain_number(attribute)
        if name.startswith("_") or value is None:
            continue
        if isinstance(value, int | float | str):
            numbers[name] = value
        elif sparse.issparse(value):
            entries = sparse.coo_array(value)
            arrays |= {f"{name}_row": entries.row, f"{name}_column": entries.col, f"{name}_value": entries.data}
        elif isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            advice = "make it an array, or begin its name with _ if no sample depends on it"
            raise ValueError(f"system: expected numbers, texts and arrays, got {name} = {shown(value)}: {advice}")
    return numbers, arrays


def header_layout(header: Mapping[str, Any]) -> StoreLayout:
    """Return the layout written in a header."""
    names = ("sites", "blocks", "rows_per_block", "scalars")
    sizes = {name: header[name] for name in names}
    return StoreLayout(temperatures=tuple(header["temperatures"]), **sizes, kind=header["configurations"])


def system_specs(header: Mapping[str, Any]) -> dict[str, ArraySpec]:
    """Return the constant arrays of a store by path inside it, one chunk each."""
    shapes = {name: tuple(entry["shape"]) for name, entry in header["arrays"].items()}
    return {f"{SYSTEM}/{name}": ArraySpec(s, s, header["arrays"][name]["dtype"]) for name, s in shapes.items()}


def sample_specs(layout: StoreLayout) -> dict[str, ArraySpec]:
    """Return the arrays of all temperatures by path inside a store."""
    columns = layout.columns().items()
    return {column_path(t, name): spec for t in range(len(layout.temperatures)) for name, spec in columns}


def first_difference(expected: Any, got: Any, name: str = "") -> str | None:
    """Return the first difference of two JSON values, as "field: expected this, got that", or None if they agree.

    >>> first_difference({"seed": 1, "attrs": {"sites": 8}}, {"seed": 1, "attrs": {"sites": 9}})
    'attrs.sites: expected 8, got 9'
    """
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in [*expected, *(key for key in got if key not in expected)]:
            field = f"{name}.{key}" if name else key
            if found := first_difference(expected.get(key, "nothing"), got.get(key, "nothing"), field):
                return found
        return None
    return None if expected == got else f"{name}: expected {expected!r}, got {got!r}"


def plain_json(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` as they read back from JSON, or raise ValueError where they are not JSON.

    Numbers that are not finite become None: JSON has no others, and Zarr before 3.1.1 refuses them.

    >>> plain_json("attrs", {"temperatures": (0.5, float("nan"))})
    {'temperatures': [0.5, None]}
    """
    try:
        return json.loads(json.dumps(dict(values)), parse_constant=lambda _: None)
    except TypeError as error:
        raise ValueError(f"{name}: expected JSON values, got one that is not: {error}") from error


def _describe(name: str, values: Shaped[np.ndarray, "..."]) -> dict[str, Any]:
    """Return shape, dtype and digest of a constant array, or raise ValueError where it is empty or not numeric."""
    _require_name("arrays", name, SPINS)
    dtype = _plain_dtype(f"arrays.{name}", values.dtype)
    if values.size == 0:
        raise ValueError(f"arrays.{name}: expected at least one entry, got shape {values.shape}")
    digest = hashlib.sha256(values.astype(dtype).tobytes()).hexdigest()
    return {"shape": list(values.shape), "dtype": dtype, "sha256": digest}


def _require_name(kind: str, name: str, taken: str) -> None:
    """Raise ValueError unless ``name`` can name an array next to the one called ``taken``."""
    if not name.isidentifier() or name == taken:
        raise ValueError(f"{kind}: expected names that are identifiers other than {taken!r}, got {name!r}")


def _plain_dtype(name: str, dtype: Any) -> str:
    """Return the name of a boolean, integer or float dtype, or raise ValueError for any other."""
    try:
        parsed = np.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"{name}: expected a NumPy dtype, got {dtype!r}") from error
    if parsed.kind not in "biuf" or parsed.itemsize > 8:
        raise ValueError(f"{name}: expected a boolean, integer or float dtype of at most 64 bits, got {dtype!r}")
    return parsed.name
