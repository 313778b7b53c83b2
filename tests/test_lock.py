"""The lock of the environment: everything that the project asks for is in it, in a version that it allows."""

import re
import tomllib

from helpers import PROJECT_ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
LOCKED = dict(re.findall(r"^([\w.-]+)==(\S+)$", (PROJECT_ROOT / ".ci/lock.txt").read_text(), re.M))


def refused(requirements, locked):
    """Requirements that a lock does not meet."""
    asked = [Requirement(text) for text in requirements]
    versions = {one: locked.get(canonicalize_name(one.name)) for one in asked}
    return [str(one) for one, version in versions.items() if version is None or not one.specifier.contains(version)]


def test_the_lock_meets_what_the_project_asks_for():
    assert len(LOCKED) > 100
    assert refused(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"], LOCKED) == []


def test_another_version_and_a_package_without_one_are_seen():
    assert refused(["torch>=2.5", "numpy>=2.1"], {"torch": "2.4.0"}) == ["torch>=2.5", "numpy>=2.1"]


def test_the_image_installs_by_the_lock():
    image = (PROJECT_ROOT / ".ci/Dockerfile").read_text()
    assert f"torch=={LOCKED['torch']}" in image
    assert "-c /project/lock.txt" in image
