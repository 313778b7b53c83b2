"""Alignments against a consensus counted letter by letter."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_mf.datasets.files import DataError
from vae_mf.datasets.readers.alignments import binarise_alignment, load_alignment, read_sequences
from vae_mf.datasets.recording import read_recording
from vae_mf.datasets.splits import split_rows

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


def codes(sequences):
    return np.array([list(sequence.encode()) for sequence in sequences], np.uint8)


@given(st.lists(st.text("ACW-.", min_size=5, max_size=5), min_size=1, max_size=9))
def test_consensus_is_the_most_frequent_residue_of_columns_with_few_gaps(sequences):
    found = binarise_alignment(codes(sequences))
    kept = []
    for column, letters in enumerate(zip(*sequences, strict=True)):
        residues = Counter(letter for letter in letters if letter not in "-.")
        if 2 * residues.total() < len(sequences):
            continue
        kept.append(column)
        most = min(residues, key=lambda letter: (-residues[letter], letter))
        assert found.residues[len(kept) - 1] == most
        np.testing.assert_array_equal(found.matches[:, len(kept) - 1], [letter == most for letter in letters])
    np.testing.assert_array_equal(found.columns, kept)


@pytest.mark.parametrize("name", ["family.fasta", "family.fa", "family.afa", "family.fas", "family.msa"])
def test_an_alignment_is_read_whole(tmp_path, name):
    # Columns: conserved, mostly gaps, and three that vary; a sequence is wrapped over two lines.
    sequences = ["MA-CD", "MA-CE", "M--CE", "MWKYE", "MAKYD", "MW-CD", "MACYD"]
    (tmp_path / name).write_text(
        "\r\n".join(f">seq{k} of a family\r\n{s[:2]}\r\n{s[2:]}" for k, s in enumerate(sequences))
    )
    recording = read_recording(tmp_path / name)
    assert recording.names == ("A2", "C4", "D5")
    expected = [[s[1] == "A", s[3] == "C", s[4] == "D"] for s in sequences]
    np.testing.assert_array_equal(recording.rows > 0, expected)
    assert "7 sequences" in recording.source
    told = " | ".join(recording.remarks)
    assert "1 of 5 columns are gaps in most sequences and were left out" in told
    assert "1 variables never change and were left out: M1" in told
    assert "the most frequent residue" in told


@pytest.mark.parametrize("name", ["family.aln", "family.msa"])
def test_sequences_alone_are_read_a_line_each(tmp_path, name):
    (tmp_path / name).write_text("ACDW\nA-DY\nWCDY\n")
    assert load_alignment(tmp_path / name).letters.tobytes() == b"ACDWA-DYWCDY"


@pytest.mark.parametrize("above", ["#12\t1\n", "#A3M#\n", "; of 2019\n\n"])
def test_comments_above_the_sequences_are_left_out(tmp_path, above):
    (tmp_path / "family.a3m").write_text(f"{above}>a\nACD\n>b #1\nAgCY\n")
    alignment = load_alignment(tmp_path / "family.a3m")
    assert (alignment.names, alignment.letters.tobytes()) == (["a", "b #1"], b"ACDACY")


def test_repeated_sequences_and_ambiguous_letters_are_told(tmp_path):
    sequences = ["ACX", "ACD", "ACD", "WCD", "AYD", "WYX"]
    (tmp_path / "a.fasta").write_text("".join(f">{k}\n{s}\n" for k, s in enumerate(sequences)))
    told = " | ".join(read_recording(tmp_path / "a.fasta").remarks)
    assert "1 of 6 sequences repeat another one" in told
    assert "2 ambiguous letters" in told


def test_sequences_have_no_time(tmp_path):
    random = np.random.default_rng(0)
    letters = random.choice(list(RESIDUES), (60, 5))
    (tmp_path / "a.fasta").write_text("".join(f">{k}\n{''.join(row)}\n" for k, row in enumerate(letters)))
    recording = read_recording(tmp_path / "a.fasta")
    np.testing.assert_array_equal(recording.repeat, np.arange(60))
    assert not recording.time.any()
    assert len(split_rows(recording, "random", seed=3).test) == 6
    with pytest.raises(ValueError, match="got time with too few movie times: train 1, validation 0, test 0 of 1"):
        split_rows(recording, "time")


@pytest.fixture
def load(tmp_path):
    """Return the alignment of a file with this name and content."""

    def write(name, content):
        (tmp_path / name).write_text(content)
        return load_alignment(tmp_path / name)

    return write


STOCKHOLM = """# STOCKHOLM 1.0
#=GF ID   test

s1/1-4    MAyC
#=GR s1/1-4 SS  HHHH
s2/1-4    MA.D
#=GC RF   xx.x

s1/1-4    W-
s2/1-4    WY
//
"""
CLUSTAL = """CLUSTAL O(1.2.4) multiple sequence alignment


s1/1-4    MAC 3
s2/1-4    MAD 3
          **:

s1/1-4    W- 4
s2/1-4    WY 5
          *
"""


@pytest.mark.parametrize(("name", "content"), [("a.sto", STOCKHOLM), ("a.aln", CLUSTAL)])
def test_blocks_of_lines_are_joined(load, name, content):
    alignment = load(name, content)
    assert alignment.names == ["s1/1-4", "s2/1-4"]
    assert alignment.letters.tobytes() == b"MACW-MADWY"


def test_lines_without_names_are_sequences(load):
    assert load("family.aln", "MACW-\nMADWY\n").letters.tobytes() == b"MACW-MADWY"


def test_names_are_kept_whole_and_may_repeat(load):
    content = ">Homo sapiens isolate 1\nAC\n>Homo sapiens isolate 2\nAD\n>Homo sapiens isolate 2\nAD\n"
    assert load("a.fasta", content).names == [f"Homo sapiens isolate {k}" for k in (1, 2, 2)]


ALIGNED = ["MACW-", "MADWY", "M-DWY"]


@pytest.mark.parametrize(
    ("name", "sequences"),
    [
        ("a.a3m", ["MAaCW-", "MADWghY", "M-DWY"]),
        ("a.fasta", ["MAaCW-", "MADWghY", "M-DWY"]),  # A3M by another name
        ("a.a2m", ["MAaCW..-", "MA.DWghY", "M-.DW..Y"]),
        ("a.fasta", [".MAaCW..-.", ".MA.DWghY.", ".M-.DW..Y."]),  # as Pfam writes it
        ("a.fasta", ["MAaCW--.", "MA-DWghY", "M--DW--Y"]),  # gaps of any kind in a column of insertions
    ],
)
def test_insertions_are_left_out_and_told(load, name, sequences):
    alignment = load(name, "".join(f">s{k}\n{letters}\n" for k, letters in enumerate(sequences)))
    assert alignment.letters.tobytes().decode().replace(".", "-") == "".join(ALIGNED)
    assert "insertions, in small letters, were left out" in alignment.remarks[0]


def test_an_alignment_in_small_letters_is_read_as_capitals(load):
    alignment = load("a.fna", ">1\nac-t\n>2\naggt\n")
    assert alignment.letters.tobytes() == b"AC-TAGGT"
    assert alignment.remarks == ("small letters were read as capitals",)


def test_masked_residues_are_no_insertions(load):
    with pytest.raises(DataError, match="got 'c' in column 2 of '1': write capitals"):
        load("a.fasta", ">1\nAcGT\n>2\nACGT\n")


def test_states_of_a_potts_model_leave_insertions_out(tmp_path):
    (tmp_path / "a.a3m").write_text(">1\nACg\n>2\nA-\n")
    assert read_sequences(tmp_path / "a.a3m", "-ACGT").states.tolist() == [[1, 2], [1, 0]]
