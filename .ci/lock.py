"""Versions with which the tests passed, .ci/lock.txt: `pip install -c .ci/lock.txt vae_mf` installs the same ones.

python .ci/lock.py    writes it from the environment that runs this, where the tests have passed
"""

import re
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).with_name("lock.txt")
HEAD = "# Written by .ci/lock.py. CPU builds of torch carry +cpu behind their version.\n"


def main() -> None:
    """Write the versions of everything that the package and its tests need."""
    versions = needed("vae_mf", ("test",))
    del versions["vae-mf"]
    LOCK.write_text(HEAD + "".join(f"{name}=={version}\n" for name, version in sorted(versions.items())))


def needed(name: str, extras: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the versions of an installed distribution and of all that it needs here, by canonical names."""
    asked = [(name, extras)]
    for name, extras in asked:  # which grows meanwhile
        below = [(canonicalize_name(one.name), tuple(one.extras)) for one in requirements(name, extras)]
        asked += [one for one in dict.fromkeys(below) if one not in asked]
    return {canonicalize_name(name): distribution(name).version.partition("+")[0] for name, _ in asked}


def requirements(name: str, extras: tuple[str, ...]) -> list[Requirement]:
    """Return the requirements of an installed distribution that hold on this machine."""
    found = [Requirement(text) for text in distribution(name).requires or []]
    places = [{"extra": extra} for extra in ("", *extras)]
    return [one for one in found if not one.marker or any(one.marker.evaluate(place) for place in places)]


def locked() -> dict[str, str]:
    """Return the versions of the lock by canonical names."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", LOCK.read_text(), re.M))


if __name__ == "__main__":
    main()
