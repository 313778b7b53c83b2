"""Checks at the public edges: what passes comes back as its plain type, what does not is named."""

from fractions import Fraction

import numpy as np
import pytest

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
