"""Colours that stand in one figure differ for readers with two kinds of cones, too.

Deuteranopia and protanopia as simulated by Machado, Oliveira and Fernandes (2009), table 1, severity 1, on linear RGB;
distances as by CIE 1976 in L*a*b* under D65.
"""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from vae_mf.plotting.density_models import FAMILIES
from vae_mf.plotting.inverse_ising import LOOKS
from vae_mf.plotting.style import COLOURS, CYCLE, PALETTE

SIGHTS = {
    "normal": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
LEAST = 30.0


def lab(colour: str, sight: str) -> np.ndarray:
    """L*a*b* of a colour as it is seen."""
    encoded = np.array(to_rgb(colour))
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.array(SIGHTS[sight]) @ linear, 0, 1) / TO_XYZ.sum(1)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(first: str, second: str, sight: str) -> float:
    return float(np.linalg.norm(lab(first, sight) - lab(second, sight)))


@pytest.mark.parametrize("sight", SIGHTS)
def test_any_two_colours_of_the_palette_differ(sight):
    too_near = {
        pair: round(distance(*map(PALETTE.get, pair), sight))
        for pair in combinations(PALETTE, 2)
        if distance(*map(PALETTE.get, pair), sight) < LEAST
    }
    assert not too_near


@pytest.mark.parametrize("sight", SIGHTS)
def test_all_colours_are_seen_on_white(sight):
    assert all(distance(colour, "white", sight) >= LEAST for colour in PALETTE.values())


def test_red_and_green_that_are_told_apart_by_cones_alone_fail():
    assert distance("#cc3311", "#228833", "normal") > 100
    assert distance("#cc3311", "#228833", "protanopia") < 20


def test_black_and_white_are_a_hundred_apart():
    assert distance("black", "white", "normal") == pytest.approx(100, abs=0.1)


def test_figures_have_no_colours_but_those_of_the_palette():
    own = {*COLOURS.values(), *CYCLE, *(look[0] for look in LOOKS.values()), *(look[0] for look in FAMILIES.values())}
    assert own <= set(PALETTE.values())


def test_pictures_of_the_gallery_name_no_other_colours():
    scripts = (Path(__file__).parents[2] / "docs" / "gallery").glob("*/*.py")
    named = {code for script in scripts for code in re.findall(r"#[0-9a-f]{6}\b", script.read_text())}
    assert named
    assert named <= set(PALETTE.values())


def test_every_figure_of_the_pages_has_a_caption_beside_it():
    figures = list((Path(__file__).parents[2] / "docs" / "figures").glob("*.png"))
    assert figures
    assert [path.name for path in figures if not path.with_suffix(".txt").exists()] == []


def test_families_and_methods_of_one_colour_have_different_markers():
    assert len({look[:2] for look in FAMILIES.values()}) == len(FAMILIES)
