"""Aligned sequences: FASTA, A2M, A3M, Stockholm and Clustal, binarised against the consensus."""

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int8, UInt8

from vae_mf.datasets.file_formats import register_reader
from vae_mf.datasets.files import (
    GZIP,
    MOST_VARIABLES,
    SEQUENCES,
    DataError,
    Options,
    Raster,
    read_bytes,
    require_few_variables,
    require_memory,
    suffix_of,
)
from vae_mf.datasets.readers.text import utf8

SUFFIXES = (".fasta", ".fa", ".fas", ".faa", ".fna", ".afa", ".a2m", ".a3m", ".sto", ".stk")
PLAIN = (".aln", ".msa")
"""Endings of files that may hold sequences alone, one to a line."""
COMMENTS = re.compile(rb"(?:[#;].*\n|[ \t]*\n)*")
"""Lines above the sequences, such as the sizes that ColabFold writes."""
GAPS = (ord("-"), ord("."))
MEMORY_PER_SEQUENCE = 300
"""Bytes that a name and a sequence take beyond their letters."""
MOST_INSERTED = 20
"""Letters of a sequence for each of its columns, insertions and ends of lines among them, at most."""
LARGEST_GAP_FRACTION = 0.5
"""Columns with more gaps than this are insertions of few sequences and left out."""
AMBIGUOUS = frozenset(b"BJXZ")
INSERTED = b"abcdefghijklmnopqrstuvwxyz."
AMINO_ACIDS = "-ACDEFGHIKLMNPQRSTVWY"
"""The 21 states of a column of aligned proteins, the gap first."""


Record = tuple[str, bytes]
"""Name and letters of a sequence."""


class Alignment(NamedTuple):
    """Names of the sequences, their letters (sequences, columns) as ASCII codes, and peculiarities of the file."""

    names: list[str]
    letters: UInt8[np.ndarray, "sequences columns"]
    remarks: tuple[str, ...] = ()


class AlignedStates(NamedTuple):
    """Sequences as rows of states, for the Potts models of `vae_mf.inverse_ising`.

    >>> aligned = AlignedStates(["human", "mouse"], np.array([[1, 0], [1, 4]], np.int8), alphabet="-ACGT", unknown=0)
    >>> ["".join(aligned.alphabet[state] for state in row) for row in aligned.states]
    ['A-', 'AT']
    """

    names: list[str]
    """Names of the sequences."""
    states: Int8[np.ndarray, "sequences columns"]
    """Places of the letters in the alphabet, 0 for a gap."""
    alphabet: str
    """Letters of the states, the gap first."""
    unknown: int
    """Number of letters outside the alphabet, which count as gaps."""


class LongestSequence:
    """Refuses blocks of a text that are all of one sequence: a compressed one may be longer than any to learn from."""

    def __init__(self) -> None:
        self.mark: bytes | None = None
        self.length = 0

    def __call__(self, block: bytes) -> None:
        """Raise DataError if the sequence that goes on in this block is longer than one with many insertions."""
        if self.mark is None:
            self.mark = b">" if block.lstrip().startswith((b">", b"#", b";")) and b">" in block else b"\n"
        if self.mark in block:
            self.length = len(block) - block.rindex(self.mark)
        else:
            self.length += len(block)
        if self.length > MOST_INSERTED * MOST_VARIABLES:
            advice = "give a part of the alignment, or the columns that vary"
            raise DataError(f"expected at most {MOST_VARIABLES} columns, got a sequence of far more letters: {advice}")


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


@register_reader(*SUFFIXES, *PLAIN, starts=(GZIP, SEQUENCES))
def read_alignment(path: Path, options: Options) -> Raster:
    """Return an alignment in binary form: 1 where a sequence has the consensus residue, 0 elsewhere."""
    alignment = load_alignment(path)
    consensus = binarise_alignment(alignment.letters)
    sequences, columns = alignment.letters.shape
    kept = len(consensus.columns)
    remarks = [*alignment.remarks, "1 means the most frequent residue of a column, 0 any other or a gap"]
    if kept < columns:
        remarks.append(f"{columns - kept} of {columns} columns are gaps in most sequences and were left out")
    if not kept:
        raise DataError("every column is a gap in most sequences: give an alignment with fewer gaps")
    if unclear := int(are_any(alignment.letters, AMBIGUOUS).sum()):
        remarks.append(f"{unclear} ambiguous letters (B, J, X, Z) count as residues of their own")
    if repeated := sequences - len(np.unique(alignment.letters, axis=0)):
        remarks.append(f"{repeated} of {sequences} sequences repeat another one")
    names = [f"{letter}{column + 1}" for letter, column in zip(consensus.residues, consensus.columns, strict=True)]
    source = f"alignment of {sequences} sequences, binarised against its consensus"
    return Raster(consensus.matches[:, :, None], source, names, tuple(remarks), prunable=True, turnable=False)


def read_sequences(path: str | Path, alphabet: str = AMINO_ACIDS) -> AlignedStates:
    """Return an alignment in FASTA, A2M, A3M, Stockholm or Clustal as states of an alphabet, insertions left out.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "family.fasta")
    ...     np.savetxt(path, [">human", "AC-", ">mouse", "ACT"], fmt="%s")
    ...     aligned = read_sequences(path, alphabet="-ACGT")
    >>> aligned.names, aligned.states
    (['human', 'mouse'], array([[1, 2, 0],
           [1, 2, 4]], dtype=int8))

    Args:
        path: file of the alignment, maybe compressed with gzip.
        alphabet: letters of the states, the gap ``-`` first; "-ACGT" for DNA, "-ACGU" for RNA.

    Raises:
        DataError: The file is no alignment, or the alphabet does not begin with the gap or repeats a letter.
    """
    if alphabet[:1] != "-" or len(set(alphabet)) < len(alphabet):
        raise DataError(f"alphabet: expected different letters after a gap -, got {alphabet!r}")
    alignment = load_alignment(Path(path))
    places = np.full(256, -1, np.int8)
    places[np.frombuffer(alphabet.encode("ascii"), np.uint8)] = np.arange(len(alphabet))
    places[list(GAPS)] = 0
    states = places[alignment.letters]
    return AlignedStates(alignment.names, np.maximum(states, 0), alphabet, int((states < 0).sum()))


def load_alignment(path: Path) -> Alignment:
    """Return the alignment of a file, maybe compressed with gzip; its first line tells the format.

    Raises:
        DataError: The text is of none of the formats, not aligned, or holds letters that are no residues.
    """
    text = utf8(read_bytes(path, check=LongestSequence()), (SEQUENCES,))
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    most = text.count(b">") if text.lstrip().startswith((b">", b"#", b";")) else text.count(b"\n")
    require_memory(MEMORY_PER_SEQUENCE * most, "give fewer sequences")
    records = records_of(text, suffix_of(path) in PLAIN)
    del text  # of which the records are a copy
    return aligned(records)


def records_of(text: bytes, plain: bool) -> list[Record]:
    """Return names and sequences of a text, the first line of which tells its format.

    Args:
        plain: True if it may hold sequences alone, one to a line.
    """
    if text.startswith(b"# STOCKHOLM"):
        return interleaved(text.rstrip().removesuffix(b"//"), b"#")
    if text.startswith((b"CLUSTAL", b"MUSCLE", b"PROBCONS")):
        return interleaved(text.partition(b"\n")[2], b" \t")
    if plain and not text.lstrip().startswith((b">", b"#")):
        return [(f"line {number}", line) for number, line in enumerate(text.split(), start=1)]
    return fasta(COMMENTS.sub(b"", text, count=1))


def fasta(text: bytes) -> list[Record]:
    r"""Return names and sequences of a FASTA text.

    >>> fasta(b">a first\nAC\nD-\n\n>b\nA C.W\n")
    [('a first', b'ACD-'), ('b', b'AC.W')]
    """
    starts = [start.end() for start in re.finditer(rb"^>", text, re.MULTILINE)]
    if not starts or text[: starts[0] - 1].strip():
        raise DataError("expected FASTA, a line with > and a name before each sequence: check the format")
    parts = (text[start : end - 1] for start, end in pairwise([*starts, len(text) + 1]))
    records = (part.partition(b"\n") for part in parts)
    return [(name.decode().strip(), b"".join(sequence.split())) for name, _, sequence in records]


def interleaved(text: bytes, comments: bytes) -> list[Record]:
    r"""Return names and sequences of blocks of lines, each with a name and a piece of its sequence.

    Args:
        comments: First letters of lines that hold something else.

    >>> interleaved(b"a AC\nb AD\n\na WW 4\nb W- 4", b"#")
    [('a', b'ACWW'), ('b', b'ADW-')]
    """
    pieces: dict[bytes, list[bytes]] = {}
    for line in text.split(b"\n"):
        if not line.strip() or line[0] in comments:
            continue
        name, *rest = line.split()
        if not rest or name == b"//":
            found = line.decode()[:30]
            raise DataError(f"expected one alignment, a name and a sequence in each line, got {found!r}: mend it")
        pieces.setdefault(name, []).append(rest[0])
    if not pieces:
        raise DataError("expected lines of a name and a sequence, got none: export the alignment again")
    return [(name.decode(), b"".join(parts)) for name, parts in pieces.items()]


def aligned(records: list[Record]) -> Alignment:
    """Return sequences of one length, of capitals and gaps, without the insertions that small letters mark.

    >>> aligned([("a", b"ACyD"), ("b", b"AC-")]).letters.tobytes()
    b'ACDAC-'

    Raises:
        DataError: They are not aligned, or hold letters that are no residues.
    """
    if not all(sequence.isascii() for _, sequence in records):
        raise DataError("expected letters A to Z and gaps, got others: export the alignment again")
    capitals, small = (any(re.search(found, sequence) for _, sequence in records) for found in (rb"[A-Z]", rb"[a-z]"))
    remarks: tuple[str, ...] = ()
    if small and not capitals:
        records = [(name, sequence.upper()) for name, sequence in records]
        remarks = ("small letters were read as capitals",)
    elif small:
        records = without_insertions(records)
        kept = len(records[0][1])
        remarks = (f"insertions, in small letters, were left out: columns are numbered without them, from 1 to {kept}",)
    names = [name for name, _ in records]
    require_aligned(records)
    codes = codes_of(records)
    require_residues(names, codes)
    return Alignment(names, codes, remarks)


def codes_of(records: list[Record]) -> UInt8[np.ndarray, "sequences columns"]:
    """Return the letters of sequences of one length as ASCII codes."""
    return np.frombuffer(b"".join(sequence for _, sequence in records), np.uint8).reshape(len(records), -1)


def are_any(
    letters: UInt8[np.ndarray, "sequences columns"], of: Iterable[int]
) -> Bool[np.ndarray, "sequences columns"]:
    """Return True where a letter is one of these; `numpy.isin` would take eight bytes for each."""
    found = np.zeros(letters.shape, bool)
    for letter in of:
        found |= letters == letter
    return found


def without_insertions(records: list[Record]) -> list[Record]:
    """Return sequences without small letters and the dots beside them, if all are of one length then.

    Small letters are insertions in A2M, A3M and Pfam; if a column has them beside capitals they are masked residues.
    """
    lengths = {len(sequence) for _, sequence in records}
    if len(lengths) > 1:
        return [(name, sequence.translate(None, INSERTED)) for name, sequence in records]
    codes = codes_of(records)
    small = (codes >= ord("a")) & (codes <= ord("z"))
    capital = (codes >= ord("A")) & (codes <= ord("Z"))
    inserted = ~capital.any(axis=0) & (small.any(axis=0) | (codes == ord(".")).all(axis=0))
    if not (small & ~inserted).any():
        return [(name, codes[k, ~inserted].tobytes()) for k, (name, _) in enumerate(records)]
    sequence, column = np.argwhere(small & ~inserted)[0]
    raise DataError(
        f"expected small letters for insertions, in columns without capitals, got {chr(codes[sequence, column])!r} in "
        f"column {column + 1} of {records[sequence][0]!r}: write capitals if these are masked residues"
    )


def require_aligned(records: list[Record]) -> None:
    """Raise DataError unless all sequences are of one length above zero that can be learned from."""
    (first, sequence), *_ = records
    if not sequence:
        raise DataError(f"sequence {first!r} is empty: complete or delete it")
    require_few_variables(len(sequence), "columns", "give a part of the alignment, or the columns that vary")
    for name, other in records:
        if len(other) != len(sequence):
            found = f"{name!r} of length {len(other)} after {first!r} of length {len(sequence)}"
            raise DataError(f"expected aligned sequences of one length, got {found}: align them first")


def require_residues(names: list[str], codes: UInt8[np.ndarray, "sequences columns"]) -> None:
    """Raise DataError unless every letter is a capital or a gap."""
    wrong = ~(((codes >= ord("A")) & (codes <= ord("Z"))) | are_any(codes, GAPS))
    if wrong.any():
        sequence, column = np.argwhere(wrong)[0]
        found = f"{chr(codes[sequence, column])!r} in column {column + 1} of {names[sequence]!r}"
        advice = "write X for an unknown residue and - for a gap"
        raise DataError(f"expected letters and gaps, got {found}: {advice}")


def binarise_alignment(letters: UInt8[np.ndarray, "sequences columns"]) -> Consensus:
    """Return the consensus of an alignment and the places where the sequences agree with it.

    >>> binarise_alignment(np.array([list(b"AC-"), list(b"AD-"), list(b"GC-")], np.uint8)).residues
    'AC'
    """
    gaps = are_any(letters, GAPS)
    columns = np.flatnonzero(gaps.mean(axis=0) <= LARGEST_GAP_FRACTION)
    kept = np.where(gaps, 0, letters)[:, columns]
    counts = np.stack([(kept == letter).sum(axis=0) for letter in range(ord("A"), ord("Z") + 1)])
    residues = (ord("A") + counts.argmax(axis=0)).astype(np.uint8)
    return Consensus(columns, residues.tobytes().decode(), kept == residues)
