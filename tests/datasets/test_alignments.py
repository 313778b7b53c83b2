"""Alignments against a consensus counted letter by letter."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_mf.datasets.readers.alignments import binarise_alignment, parse_fasta
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


@pytest.mark.parametrize("name", ["family.fasta", "family.fa", "family.afa"])
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


def test_fasta_is_parsed_as_written():
    alignment = parse_fasta("\n>a first\nAC\nD-\n\n>b\nA C.W\n")
    assert alignment.names == ["a", "b"]
    assert alignment.letters.tobytes() == b"ACD-AC.W"
