"""Which repeats of a stimulus training words come from: all, one half of them, or a bootstrap sample of them."""

import re
from typing import Any

import numpy as np
from jaxtyping import Int

from vae_mf.arrays import Rows
from vae_mf.rng import generator

ALL, HALVES = "all", ("first_half", "second_half")
BOOTSTRAP = re.compile(r"bootstrap_(\d+)", re.ASCII)
"""A bootstrap sample by its seed."""


def rows_of_repeats(repeat: Int[np.ndarray, " words"], chosen: Any) -> Rows:
    """Return the ascending rows of the chosen repeats; those of a repeat that was drawn n times come n times each.

    Words of one repeat follow each other in time, and words of different repeats are drawn anew from the same
    stimulus: whole repeats are what another recording of the same experiment would bring more of.

    Args:
        repeat: that the word of each row comes from.
        chosen: ``"all"``; ``"first_half"`` or ``"second_half"`` of the repeats in their order, the middle one of an odd
            number in the second; or ``"bootstrap_SEED"``: as many as there are, drawn with replacement.

    Raises:
        ValueError: ``chosen`` is none of these, or there is one repeat only.

    >>> rows_of_repeats(np.array([0, 0, 1, 1, 2]), "second_half")
    array([2, 3, 4])
    """
    drawn = BOOTSTRAP.fullmatch(str(chosen))
    if chosen == ALL:
        return np.arange(len(repeat))
    if chosen not in HALVES and not drawn:
        expected = ", ".join((ALL, *HALVES))
        raise ValueError(f"repeats: expected {expected} or bootstrap_SEED such as bootstrap_1, got {chosen!r}")
    names, index = np.unique(repeat, return_inverse=True)
    total = len(names)
    if total < 2:
        raise ValueError(f"repeats: expected at least 2 repeats to take {chosen} of, got {total}; set repeats to all")
    if drawn:
        picked = generator(int(drawn[1]), "repeats").integers(total, size=total)
    else:
        picked = np.array_split(np.arange(total), [total // 2])[HALVES.index(chosen)]
    return np.repeat(np.arange(len(repeat)), np.bincount(picked, minlength=total)[index])
