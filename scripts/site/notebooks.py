"""The notebooks of docs/notebooks, run anew and stored with what they print and draw.

python scripts/site/notebooks.py                  all of them
python scripts/site/notebooks.py inverse_ising    one, by its name
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import nbclient
import nbformat

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
LONGEST = 600
"""Seconds that a cell may take."""


def main() -> None:
    """Run the notebooks that are named, or all, and store them with their outputs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="all if none")
    known = {path.stem: path for path in notebooks()}
    names = parser.parse_args().names or list(known)
    if unknown := set(names) - set(known):
        parser.error(f"names: expected some of {', '.join(known)}, got {', '.join(sorted(unknown))}")
    for name in names:
        nbformat.write(executed(known[name]), known[name])


def notebooks() -> list[Path]:
    """Return the notebooks of the documentation."""
    return sorted(FOLDER.glob("*.ipynb"))


def executed(path: Path) -> nbformat.NotebookNode:
    """Return a notebook as it is after a run in an empty folder, without progress bars, warnings and times."""
    notebook = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as folder:
        settings = {"timeout": LONGEST, "record_timing": False, "coalesce_streams": True}
        nbclient.NotebookClient(notebook, resources={"metadata": {"path": folder}}, **settings).execute()
    notebook.metadata.language_info = {"name": "python"}  # without the version of this machine
    for cell in code_cells(notebook):
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def code_cells(notebook: nbformat.NotebookNode) -> Iterator[nbformat.NotebookNode]:
    """Yield the cells that are run."""
    yield from (cell for cell in notebook.cells if cell.cell_type == "code")


if __name__ == "__main__":
    main()
