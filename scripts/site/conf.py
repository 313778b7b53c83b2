"""Settings of Sphinx, see https://www.sphinx-doc.org/en/master/usage/configuration.html."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the extension beside this file

from vae_mf import __version__

project = "vae_mf"
author = "The vae_mf developers"
copyright = "2026, the vae_mf developers"
release = __version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "sphinx_design",
    "sphinx_copybutton",
    "house_extension",
]
html_theme = "pydata_sphinx_theme"
html_title = "vae_mf"
html_math_renderer = "mathml"
html_extra_path = [str(Path(__file__).resolve().parents[2] / "outputs/site/extra")]  # finished pages
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "show_prev_next": True,
    "header_links_before_dropdown": 9,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
}
html_sidebars = {"index": []}
default_role = "code"
exclude_patterns = ["gallery", "examples/**.ipynb", "**sg_execution_times.rst"]

myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # tests/docs run the notebooks, whose outputs are stored
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = True
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_use_ivar = True
sphinx_gallery_conf = {
    "examples_dirs": str(Path(__file__).resolve().parents[2] / "outputs/site/source/gallery"),
    "gallery_dirs": "examples",
    "subsection_order": [f"gallery/{section}" for section in ("theory", "inverse", "glasses", "models")],
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 10,
    "plot_gallery": "True",
    "abort_on_example_error": True,
    "matplotlib_animations": False,
}
