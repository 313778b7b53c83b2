"""Checks at the public edges: what passes comes back as its plain type, what does not is named."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from vae_mf import checks

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integers_come_back_as_int(value):
    assert type(checks.require_integer("n", value)) is int
    assert checks.require_integer("n", value) == 3


@pytest.mark.parametrize("value", [0, -1, 2.0, "2", True, None, NAN])
def test_other_integers_are_named(value):
    with pytest.raises(ValueError, match=f"n: expected an integer >= 1, got {value!r}"):
        checks.require_integer("n", value)


def test_the_minimum_of_an_integer_is_included():
    assert checks.require_integer("n", 0, minimum=0) == 0
    with pytest.raises(ValueError, match="n: expected an integer >= 4, got 3"):
        checks.require_integer("n", 3, minimum=4)


@pytest.mark.parametrize("value", [1, 0.5, 1e300, np.float32(0.5), np.int8(2)])
def test_positive_numbers_come_back_as_float(value):
    assert type(checks.require_positive("x", value)) is float
    assert checks.require_positive("x", value) == value


@pytest.mark.parametrize("value", [0, -1.0, NAN, INF, True, "1", None, np.array([1.0]), Fraction(1, 2)])
def test_other_positive_numbers_are_named(value):
    with pytest.raises(ValueError, match="x: expected a finite number > 0, got "):
        checks.require_positive("x", value)


@pytest.mark.parametrize("value", [1e-200, 1e200])
def test_energies_of_another_unit_are_refused_with_advice(value):
    with pytest.raises(ValueError, match=r"T: expected a number from 1e-30 to 1e.30, got .*: choose a unit of energy"):
        checks.require_energy_scale("T", value)
    with pytest.raises(ValueError, match="temperatures: expected a number from 1e-30"):
        checks.require_temperatures([1.0, value])


@pytest.mark.parametrize("value", [0.5, 1e-9, np.float64(0.999)])
def test_fractions_come_back_as_float(value):
    assert type(checks.require_fraction("x", value)) is float
    assert checks.require_fraction("x", value) == value


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, -0.5, NAN, True, "0.5"])
def test_other_fractions_are_named(value):
    with pytest.raises(ValueError, match="x: expected a number between 0 and 1, got "):
        checks.require_fraction("x", value)


def test_choices():
    assert checks.require_choice("start", "a", iter(["b", "a"])) == "a"
    with pytest.raises(ValueError, match="start: expected one of b, a, got 'c'"):
        checks.require_choice("start", "c", iter(["b", "a"]))


@pytest.mark.parametrize("values", [(0.5, 2), [0.5, 2.0], np.array([0.5, 2.0]), iter([0.5, 2.0])])
def test_temperatures_come_back_in_order_as_float64(values):
    temperatures = checks.require_temperatures(values)
    assert temperatures.dtype == np.float64
    assert temperatures.tolist() == [0.5, 2.0]


@pytest.mark.parametrize("values", ["1.0", 1.0, None])
def test_temperatures_are_a_list(values):
    with pytest.raises(ValueError, match="temperatures: expected a list of numbers > 0, got "):
        checks.require_temperatures(values)


@pytest.mark.parametrize("values", [[0.0], [1, -1], [1, NAN], [INF], ["1"]])
def test_temperatures_are_above_zero(values):
    with pytest.raises(ValueError, match="temperatures: expected a finite number > 0, got "):
        checks.require_temperatures(values)


@pytest.mark.parametrize("values", [[], [1.0, 2.0, 1.0]])
def test_temperatures_are_distinct(values):
    with pytest.raises(ValueError, match="temperatures: expected at least one and no duplicates"):
        checks.require_temperatures(values)


def test_spins():
    checks.require_spins("s", np.array([[1, -1], [-1, -1]]))
    with pytest.raises(ValueError, match=r"s: expected entries -1 and \+1, got values such as \[-1, 0, 1\]"):
        checks.require_spins("s", np.array([0, 1, -1]))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float64(0.5), "0.5"),
        ([np.float64(0.5), np.int8(3), np.True_], "[0.5, 3, True]"),
        ((np.str_("a"), None), "('a', None)"),
        (np.arange(9), "[0, 1, 2, 3, 4, 5, ...]"),
        (np.zeros((9, 2)), "[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], ...]"),
        (np.ndarray, "<class 'numpy.ndarray'>"),
    ],
)
def test_what_came_is_shown_in_plain_numbers_and_short(value, text):
    assert checks.shown(value) == text
    assert len(checks.shown(["long" * 1000] * 1000)) < 1000


@pytest.mark.parametrize(
    ("check", "value", "text"),
    [
        (checks.require_integer, np.float64(2.0), "2.0"),
        (checks.require_integer, np.array([2]), "[2]"),
        (checks.require_positive, np.float32(-1), "-1.0"),
        (checks.require_positive, np.complex64(1), "(1+0j)"),
        (checks.require_non_negative, np.float64("nan"), "nan"),
        (checks.require_fraction, np.int64(1), "1"),
        (checks.require_flag, np.int64(1), "1"),
        (checks.require_flag, "yes", "'yes'"),
        (lambda name, value: checks.require_choice(name, value, ["a"]), np.array(["a", "b"]), "['a', 'b']"),
    ],
)
def test_messages_show_plain_numbers(check, value, text):
    with pytest.raises(ValueError, match=f"x: expected .*, got {re.escape(text)}$"):
        check("x", value)


def test_scalars_without_axes_are_numbers():
    assert (checks.require_integer("n", np.array(3)), checks.require_positive("x", np.array(0.5))) == (3, 0.5)
    assert (checks.require_flag("f", np.True_), checks.require_flag("f", False)) == (True, False)


@pytest.mark.parametrize("values", [[0.5, 0.5], np.array([0.5, 0.5]), [np.float64(0.5)] * 2])
def test_repeated_temperatures_are_shown_in_plain_numbers(values):
    with pytest.raises(ValueError, match=re.escape("no duplicates, got [0.5, 0.5]")):
        checks.require_temperatures(values)


def test_paths():
    assert checks.require_path("p", "a") == checks.require_path("p", Path("a")) == Path("a")
    for value, text in ((None, "None"), (3, "3"), ("", "''"), (np.zeros(2), "[0.0, 0.0]")):
        with pytest.raises(ValueError, match=re.escape(f"p: expected a path, got {text}")):
            checks.require_path("p", value)


def test_arrays_of_several_forms():
    mixed = pd.DataFrame({"a": [True, False], "b": [1, 0]})
    assert checks.require_array("x", mixed).tolist() == [[1, 1], [0, 0]]
    assert checks.require_array("x", mixed.astype("Int64")).tolist() == [[1, 1], [0, 0]]
    gapped = pd.DataFrame({"a": [True, None], "b": [1, 0]}).astype({"a": "boolean"})
    np.testing.assert_array_equal(checks.require_array("x", gapped), [[1, 1], [np.nan, 0]])
    assert checks.require_array("x", 3).shape == ()
    half = torch.tensor([1.5], dtype=torch.bfloat16, requires_grad=True)
    assert checks.require_array("x", half).tolist() == [1.5]
    for value, message in (
        (Path("x.npy"), "x: expected an array, got"),
        (pd.DataFrame({"a": [1, None, "b"]}), "x: expected an array of numbers, got DataFrame of text"),
        ({"a": [1]}, "x: expected an array of numbers, got dict"),
        ([[1, 2], [3]], "x: expected rows of one length, got [[1, 2], [3]]"),
        (np.ma.masked_array([1, 2], [0, 1]), "x: expected an array without gaps, got masked entries"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            checks.require_array("x", value)


@pytest.mark.parametrize(("available", "told"), [(10**12, False), (10**9, True)])
def test_work_that_takes_much_of_the_free_memory_is_told(monkeypatch, available, told):
    said = []
    monkeypatch.setattr(checks, "available_memory", lambda: available)
    monkeypatch.setattr(checks, "own_memory", lambda: 4 * 10**8)
    checks.require_working_memory("discovery", 8 * 10**8, "give fewer rows", said.append)
    assert said == (["memory: about 1.2 GB at the peak, 1 GB are free beside those in use"] if told else [])


def test_work_beyond_the_free_memory_is_refused(monkeypatch):
    monkeypatch.setattr(checks, "available_memory", lambda: 10**9)
    with pytest.raises(ValueError, match=r"discovery: expected arrays that fit .* 1 GB are free, got 2 GB: give fewer"):
        checks.require_working_memory("discovery", 2 * 10**9, "give fewer rows", pytest.fail)
