"""A finished store, as the tests of several files read it."""

import pytest
from helpers.writer_process import fill


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "store"
    fill(path)
    return path
