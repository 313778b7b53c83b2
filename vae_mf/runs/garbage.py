"""Python's search for dead objects that refer to each other, rare in commands: else it takes a tenth of a training."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 20, 50)
"""New objects that call for a search, 700 by Python itself, and searches after which one goes farther back."""


def collect_rarely() -> None:
    """Search for garbage less often from now on."""
    gc.set_threshold(*THRESHOLDS)


@contextmanager
def importing() -> Iterator[None]:
    """Search for no garbage while modules are imported, of whose objects hardly any is."""
    go_on = gc.enable if gc.isenabled() else gc.disable
    gc.disable()
    try:
        yield
    finally:
        go_on()


def pass_by_imported() -> None:
    """Let searches pass by all that there is, modules and classes that never become garbage; once in a process."""
    if not gc.get_freeze_count():
        gc.freeze()
