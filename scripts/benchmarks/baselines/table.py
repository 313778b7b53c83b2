"""Rows of a benchmark as tables, the machine, and the folder of pages."""

from pathlib import Path

from vae_mf.benchmarks.conditions import conditions
from vae_mf.benchmarks.couplings.rows import cells, markdown, printed

__all__ = ["PAGES", "cells", "conditions", "markdown", "printed"]
PAGES = Path(__file__).parents[3] / "docs" / "benchmarks"
