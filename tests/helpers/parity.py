"""Compiled kernels beside the same kernels interpreted by Python."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


def assert_parity(kernel, make_arguments: Callable[[], tuple], *callees: tuple[ModuleType, str]) -> tuple:
    """Run a kernel compiled and interpreted on equal arguments: same result, same side effects.

    Args:
        kernel: compiled function.
        make_arguments: builds the arguments, which the kernel may change, afresh.
        callees: modules and names of compiled functions that the kernel calls: interpreted too, because a compiled one
            hands its uint64 back as a Python int.

    Returns:
        The arguments after the compiled run.
    """
    compiled, interpreted = make_arguments(), make_arguments()
    result = kernel(*compiled)
    with np.errstate(over="ignore"), pytest.MonkeyPatch.context() as patch:
        for module, name in callees:
            patch.setattr(module, name, getattr(module, name).py_func)
        expected = kernel.py_func(*interpreted)
    assert (result is None) == (expected is None)
    if result is not None:
        np.testing.assert_array_equal(np.asarray(result), np.asarray(expected))
    for one, other in zip(compiled, interpreted, strict=True):
        np.testing.assert_array_equal(one, other)
    return compiled
