"""The site: its pages keep their word, its links hold, its gallery runs, and Sphinx builds it without a warning."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from helpers import PROJECT_ROOT
from helpers.documents import blocks, hidden_names

import vae_mf

SITE = PROJECT_ROOT / "scripts" / "site"
sys.path.insert(0, str(SITE))
import pages  # noqa: E402 - a script beside others, not a package

DOCS = PROJECT_ROOT / "docs"
WITH_CHECKS = [DOCS / "theory.md", DOCS / "howto/couplings.md", DOCS / "howto/samples.md"]
"""Pages whose blocks of Python are run as one program."""
GALLERY = sorted((DOCS / "gallery").glob("*/plot_*.py"))


@pytest.mark.parametrize("page", WITH_CHECKS, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    programs = blocks(page.read_text(), "python")
    assert programs
    exec(compile("\n".join(programs), page.name, "exec"), {})


SEVERAL_SECONDS = {"plot_network_load"}
"""Scripts of the gallery that the default tests leave to the slow ones."""
SCRIPTS = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in SEVERAL_SECONDS else [])
    for path in GALLERY
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_of_the_gallery_draws_a_picture(script, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.close("all")
    runpy.run_path(str(script))
    assert plt.get_fignums()
    plt.close("all")


def test_gallery_and_notebooks_show_public_names_alone():
    codes = {path.name: path.read_text() for path in GALLERY}
    for path in (DOCS / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        lines = "".join("".join([*cell["source"], "\n"]) for cell in cells if cell["cell_type"] == "code")
        codes[path.name] = re.sub(r"^(\s*)[%!].*", r"\1pass", lines, flags=re.M)
    assert {name: hidden for name, code in codes.items() if (hidden := hidden_names(code))} == {}
    planted = "from vae_mf.systems.hopfield_theory import spin_glass_state\nvae_mf.sample, vae_mf.checks"
    assert hidden_names(planted) == ["vae_mf.systems.hopfield_theory.spin_glass_state", "vae_mf.checks"]


def test_every_page_can_be_reached():
    listed = {}
    for page in DOCS.rglob("*.md"):
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.S):
            entries = re.findall(r"^(?:.*<)?([\w./]+)>?$", re.sub(r"^:.*$", "", tree, flags=re.M), re.M)
            listed |= {(page.parent / entry).resolve(): page for entry in entries}
    known = {path.with_suffix("").resolve() for path in DOCS.rglob("*.md")} - {(DOCS / "index").resolve()}
    assert {path.relative_to(DOCS) for path in known - set(listed)} == set()


def test_links_lead_to_pages_and_names_to_the_interface():
    text = (
        "[rooms](../architecture.md#rooms) [word](../../CONTRIBUTING.md) [kernels](../../tests/cuda/kernels.csv) "
        "`vae_mf.systems.KSat` `vae_mf.systems.Nothing`"
    )
    led = pages.led(text, DOCS / "benchmarks" / "gpu.md", {Path("architecture.md"), Path("contributing.md")})
    assert led == (
        "[rooms](../architecture.md#rooms) [word](../contributing.md) kernels "
        "[`vae_mf.systems.KSat`](../api/systems/KSat.md) `vae_mf.systems.Nothing`"
    )


def test_every_public_name_has_a_page():
    written = dict(pages.interface())
    for room in pages.rooms_of_the_door():
        for name in pages.members(getattr(vae_mf, room)):
            assert ".. auto" in written[f"api/{room}/{name}.md"]
    assert {"api/runs/load.md", "api/discovery/discover.md", "api/index.md"} <= set(written)


@pytest.mark.slow
def test_sphinx_builds_the_site_without_a_warning():
    pytest.importorskip("sphinx", reason="comes with the extra site")
    done = subprocess.run([sys.executable, SITE / "build.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (PROJECT_ROOT / "outputs/site/html/index.html").exists()
