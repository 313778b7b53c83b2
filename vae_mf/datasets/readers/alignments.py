"""Aligned sequences: FASTA, binarised against the consensus."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int8, UInt8

from vae_mf.datasets.file_formats import register_reader
from vae_mf.datasets.files import GZIP, DataError, Options, Raster, listed, read_bytes
from vae_mf.datasets.readers.tables import decode

GAPS = (ord("-"), ord("."))
LARGEST_GAP_FRACTION = 0.5
"""Columns with more gaps than this are insertions of few sequences and left out."""
AMBIGUOUS = frozenset(b"BJXZ")
AMINO_ACIDS = "-ACDEFGHIKLMNPQRSTVWY"
"""The 21 states of a column of aligned proteins, the gap first."""


class Alignment(NamedTuple):
    """Names of the sequences, and their letters (sequences, columns) as ASCII codes."""

    names: list[str]
    letters: UInt8[np.ndarray, "sequences columns"]


class AlignedStates(NamedTuple):
    """Sequences as rows of states, for the Potts models of `vae_mf.inverse_ising`."""

    names: list[str]
    states: Int8[np.ndarray, "sequences columns"]
    """Places of the letters in the alphabet, 0 for a gap."""
    alphabet: str
    unknown: int
    """Number of letters outside the alphabet, which count as gaps."""


class Consensus(NamedTuple):
    """Columns with few gaps, the most frequent residue of each, and the places where a sequence has it.

    Attributes:
        columns: Indices (kept,) of the columns with few gaps.
        residues: One letter per kept column; of equally frequent ones the first in the alphabet.
        matches: Array (sequences, kept); a gap does not match.
    """

    columns: np.ndarray
    residues: str
    matches: Bool[np.ndarray, "sequences kept"]


@register_reader(".fasta", ".fa", ".faa", ".fna", ".afa", starts=(GZIP,))
def read_alignment(path: Path, options: Options) -> Raster:
    """Return an aligned FASTA file in binary form: 1 where a sequence has the consensus residue, 0 elsewhere."""
    alignment = parse_fasta(decode(read_bytes(path)))
    consensus = binarise_alignment(alignment.letters)
    sequences, columns = alignment.letters.shape
    kept = len(consensus.columns)
    remarks = ["1 means the most frequent residue of a column, 0 any other or a gap"]
    if kept < columns:
        remarks.append(f"{columns - kept} of {columns} columns are gaps in most sequences and were left out")
    if not kept:
        raise DataError("every column is a gap in most sequences: give an alignment with fewer gaps")
    if unclear := int(np.isin(alignment.letters, list(AMBIGUOUS)).sum()):
        remarks.append(f"{unclear} ambiguous letters (B, J, X, Z) count as residues of their own")
    if repeated := sequences - len(np.unique(alignment.letters, axis=0)):
        remarks.append(f"{repeated} of {sequences} sequences repeat another one")
    names = [f"{letter}{column + 1}" for letter, column in zip(consensus.residues, consensus.columns, strict=True)]
    source = f"alignment of {sequences} sequences, binarised against its consensus"
    return Raster(consensus.matches[:, :, None], source, names, tuple(remarks), prunable=True)


def read_sequences(path: str | Path, alphabet: str = AMINO_ACIDS) -> AlignedStates:
    """Return an aligned FASTA file, maybe compressed with gzip, as states of an alphabet.

    Args:
        alphabet: letters of the states, the gap ``-`` first; "-ACGT" for DNA, "-ACGU" for RNA.

    Raises:
        DataError: The file is no aligned FASTA, or the alphabet does not begin with the gap or repeats a letter.
    """
    if alphabet[:1] != "-" or len(set(alphabet)) < len(alphabet):
        raise DataError(f"alphabet: expected different letters after a gap -, got {alphabet!r}")
    alignment = parse_fasta(decode(read_bytes(Path(path))))
    places = np.full(256, -1, np.int8)
    places[np.frombuffer(alphabet.encode("ascii"), np.uint8)] = np.arange(len(alphabet))
    places[list(GAPS)] = 0
    states = places[alignment.letters]
    return AlignedStates(alignment.names, np.maximum(states, 0), alphabet, int((states < 0).sum()))


def parse_fasta(text: str) -> Alignment:
    """Return the sequences of a FASTA text.

    Raises:
        DataError: The text is no FASTA, not aligned, repeats a name, or holds letters that are no residues.
    """
    head, *records = ("\n" + text.replace("\r", "\n")).split("\n>")
    if head.strip() or not records:
        raise DataError("expected FASTA, a line with > and a name before each sequence: check the format")
    lines = [record.split("\n") for record in records]
    names = [(line[0].split() or [""])[0] for line in lines]
    sequences = ["".join("".join(line[1:]).split()) for line in lines]
    require_aligned(names, sequences)
    try:
        codes = np.frombuffer("".join(sequences).encode("ascii"), np.uint8).reshape(len(names), -1)
    except UnicodeEncodeError as error:
        raise DataError("expected letters A to Z and gaps, got others: export the alignment again") from error
    require_residues(names, codes)
    return Alignment(names, codes)


def require_aligned(names: list[str], sequences: list[str]) -> None:
    """Raise DataError unless all sequences are of one length above zero and no name comes twice."""
    lengths = [len(sequence) for sequence in sequences]
    if not lengths[0]:
        raise DataError(f"sequence {names[0]!r} is empty: complete or delete it")
    for name, length in zip(names, lengths, strict=True):
        if length != lengths[0]:
            found = f"{name!r} of length {length} after {names[0]!r} of length {lengths[0]}"
            raise DataError(f"expected aligned sequences of one length, got {found}: align them first")
    if len(set(names)) < len(names):
        repeated = [name for name, count in Counter(names).items() if count > 1]
        raise DataError(
            f"expected different names, got more than once: {listed(repeated)}: keep one sequence of each name"
        )


def require_residues(names: list[str], codes: UInt8[np.ndarray, "sequences columns"]) -> None:
    """Raise DataError unless every letter is a capital or a gap."""
    lower = (codes >= ord("a")) & (codes <= ord("z"))
    known = ((codes >= ord("A")) & (codes <= ord("Z"))) | np.isin(codes, GAPS)
    for wrong, advice in (
        (lower, "remove the columns of insertions (a2m, a3m), or write capitals if they are masked residues"),
        (~known, "write X for an unknown residue and - for a gap"),
    ):
        if wrong.any():
            sequence, column = np.argwhere(wrong)[0]
            found = f"{chr(codes[sequence, column])!r} in column {column + 1} of {names[sequence]!r}"
            raise DataError(f"expected capital letters and gaps, got {found}: {advice}")


def binarise_alignment(letters: UInt8[np.ndarray, "sequences columns"]) -> Consensus:
    """Return the consensus of an alignment and the places where the sequences agree with it.

    >>> binarise_alignment(np.array([list(b"AC-"), list(b"AD-"), list(b"GC-")], np.uint8)).residues
    'AC'
    """
    gaps = np.isin(letters, GAPS)
    columns = np.flatnonzero(gaps.mean(axis=0) <= LARGEST_GAP_FRACTION)
    kept = np.where(gaps, 0, letters)[:, columns]
    counts = np.stack([(kept == letter).sum(axis=0) for letter in range(ord("A"), ord("Z") + 1)])
    residues = (ord("A") + counts.argmax(axis=0)).astype(np.uint8)
    return Consensus(columns, residues.tobytes().decode(), kept == residues)
