"""Example reports of the site: the page of a discovery, the verdict on a run, copied from their folders.

python scripts/site/reports.py hopfield=outputs/hopfield_quick-0123456789 retina=outputs/discover-0123456789
"""

import argparse
import shutil
from pathlib import Path

from PIL import Image

REPORTS = Path(__file__).resolve().parents[2] / "docs" / "reports"
COLOURS = 64
"""Colours of a figure on the site, which is a third of its size with all of them."""


def main() -> None:
    """Copy the reports that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", metavar="NAME=FOLDER", help="finished discoveries or verdicts")
    for pair in parser.parse_args().reports:
        name, _, folder = pair.partition("=")
        copy(name, Path(folder))


def copy(name: str, folder: Path) -> None:
    """Copy the report of a discovery or of a run, under a name."""
    page = folder / "report.html"
    if page.exists():
        shutil.copyfile(page, REPORTS / f"{name}.html")
        return
    figures = {
        f"{name}_verdict.png": folder / "verdict" / "figures" / "verdict.png",
        f"{name}_observables.png": folder / "figures" / "observables.png",
    }
    for target, figure in figures.items():
        Image.open(figure).convert("RGB").quantize(COLOURS).save(REPORTS / target, optimize=True)
    title, rest = (folder / "verdict" / "report.md").read_text(encoding="utf-8").split("\n", 1)
    lead, evidence = rest.split("\n## ", 1)
    shown = f"![Evidence of the verdict]({name}_verdict.png)\n\n![Model against theory]({name}_observables.png)\n"
    (REPORTS / f"{name}.md").write_text(f"{title}\n{lead}\n{shown}\n## {evidence}", encoding="utf-8")


if __name__ == "__main__":
    main()
