"""Contact map: planted pairs above the diagonal, found ones below it, wrong ones in a colour of their own."""

import pandas as pd
from numpy.testing import assert_array_equal

from vae_mf.plotting.contacts import draw_contacts

TABLE = pd.DataFrame(
    {
        "first": [0, 1, 2],
        "second": [5, 7, 8],
        "score": [3.0, 2.0, 1.0],
        "planted": [True, True, False],
        "found": [True, False, True],
    }
)


def test_every_pair_is_where_it_belongs():
    contact_map, scores = draw_contacts(TABLE).axes
    planted, right, wrong, _ = contact_map.lines
    for line, x, y in ((planted, [5, 7], [0, 1]), (right, [0], [5]), (wrong, [2], [8])):
        assert_array_equal(line.get_xydata(), list(zip(x, y, strict=True)))
    assert_array_equal(scores.lines[0].get_xydata(), [[1, 3.0], [2, 2.0]])
    assert_array_equal(scores.lines[1].get_xydata(), [[3, 1.0]])
