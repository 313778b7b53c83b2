"""The site, from docs/, the docstrings and the scripts of the gallery: outputs/site/html/index.html.

python scripts/site/build.py            builds it anew; a warning is an error
python scripts/site/build.py --lax      tells warnings and goes on, to look at a draft
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

# Scripts of the gallery work on small matrices; on busy machines threads that wait for each other take minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pages import COPIED, interface, led

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "outputs" / "site"


def main() -> None:
    """Gather the pages below outputs/site/source and let Sphinx make HTML of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lax", action="store_true", help="warnings are told and are no errors")
    strict = [] if parser.parse_args().lax else ["--fail-on-warning", "--keep-going"]
    build = sphinx()
    shutil.rmtree(SITE, ignore_errors=True)
    gather(SITE / "source")
    settings = str(Path(__file__).parent)
    sys.exit(build(["-b", "html", "-c", settings, *strict, str(SITE / "source"), str(SITE / "html")]))


def sphinx():
    """Return the main function of Sphinx, which is asked for in words where it is not installed."""
    try:
        from sphinx.cmd.build import main as build
    except ImportError:
        raise SystemExit("Sphinx builds the site, and is not installed: pip install -e '.[site]'") from None
    return build


def gather(source: Path) -> None:
    """Write docs/, documents of the top level and pages of the interface into a folder, with links that hold.

    Pages that are HTML already go into a folder beside it, which Sphinx copies as it is.
    """
    files = {path.relative_to(ROOT / "docs"): path for path in (ROOT / "docs").rglob("*") if path.is_file()}
    files |= {Path(address): ROOT / name for name, address in COPIED.items()}
    for address, path in files.items():
        target = (source.with_name("extra") if path.suffix == ".html" else source) / address
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(led(path.read_text(encoding="utf-8"), path, set(files)), encoding="utf-8")
        else:
            shutil.copyfile(path, target)
    for address, text in interface():
        target = source / address
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
