"""Columns of tables that are no plain variables: votes in words, and numbers of times that each row was seen."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int, Num

from vae_mf.datasets.files import DataError, listed, require_memory
from vae_mf.rng import generator

MEANINGS = {
    1.0: ("y", "yes", "yea", "aye", "t", "true"),
    0.0: ("n", "no", "nay", "f", "false"),
    np.nan: ("?", "-", ".", "na", "absent", "abstain", "abstained", "present", "not voting", "missing"),
}
CODES = {text: number for number, texts in MEANINGS.items() for text in texts}
PRESENCE = {1.0: "present", 0.0: "absent"}
COUNT_NAMES = ("count", "counts", "n", "freq", "frequency", "multiplicity")
"""Headings of a column that counts the rows; a weight may be that of a body."""


class Votes(NamedTuple):
    """A table without the words that stand for 1, 0 or nothing, and a remark on them if there were any."""

    frame: pd.DataFrame
    remarks: tuple[str, ...]


class Counted(NamedTuple):
    """A table without its column of counts, how often each row was seen, and a remark on it."""

    frame: pd.DataFrame
    counts: Int[np.ndarray, " rows"]
    remark: str


def lowered(entry: Any) -> str:
    """Return an entry as a word in small letters."""
    return str(entry).strip().lower()


def number_of(text: str) -> float | None:
    """Return the number that a word stands for, None if it is neither a vote nor -1, 0 or 1.

    >>> number_of("yes"), number_of("-1"), number_of("maybe")
    (1.0, -1.0, None)
    """
    if text in CODES:
        return CODES[text]
    return float(text) if text in ("-1", "0", "1", "-1.0", "0.0", "1.0") else None


def are_votes(fields: list[str]) -> bool:
    """Return True if all fields but one at most, such as a party, are votes, and some of them words.

    >>> are_votes(["green", "Y", "?"]), are_votes(["0", "1", "1"])
    (True, False)
    """
    texts = [lowered(field) for field in fields]
    votes = [text for text in texts if number_of(text) is not None]
    return len(votes) > 1 and len(votes) >= len(texts) - 1 and any(text in CODES for text in votes)


def without_votes(frame: pd.DataFrame) -> Votes:
    """Return a table with 1 and 0 for yes and no, and NaN for votes that are missing; other columns stay as they are.

    >>> without_votes(pd.DataFrame({"a": ["Y", "absent", "N"]})).frame["a"].tolist()
    [1.0, nan, 0.0]
    """
    found: set[str] = set()
    changed = frame.copy(deep=False)
    factors = {k: pd.factorize(column) for k, (_, column) in enumerate(frame.items()) if not is_numeric(column)}
    meanings = meanings_of({lowered(entry) for _, entries in factors.values() for entry in entries})
    known = {text: number for number, texts in meanings.items() for text in texts}
    for place, (codes, entries) in factors.items():
        numbers = [known.get(lowered(entry), number_of(lowered(entry))) for entry in entries]
        if numbers and None not in numbers:
            found |= {str(entry) for entry in entries if lowered(entry) in known}
            # Entries that are missing have the code -1, the last place.
            changed.isetitem(place, np.array([*numbers, np.nan], np.float64)[codes])
    if not found:
        return Votes(changed, ())
    read = []
    for number, known_texts in meanings.items():
        if texts := sorted(text for text in found if lowered(text) in known_texts):
            read.append(f"{listed(texts)} {'were taken as missing' if np.isnan(number) else f'as {number:g}'}")
    return Votes(changed, (f"words were read as numbers: {', '.join(read)}",))


def meanings_of(texts: set[str]) -> dict[float, tuple[str, ...]]:
    """Return the words for 1, 0 and nothing: present and absent are 1 and 0 where nobody votes.

    >>> meanings_of({"present", "absent"})[1.0], "present" in meanings_of({"present", "absent", "yes"})[np.nan]
    (('present',), True)
    """
    votes = texts & {*MEANINGS[1.0], *MEANINGS[0.0]}
    if votes or not {*PRESENCE.values()} <= texts:
        return MEANINGS
    others = tuple(text for text in MEANINGS[np.nan] if text not in PRESENCE.values())
    return {number: (text,) for number, text in PRESENCE.items()} | {np.nan: others}


def count_place(frame: pd.DataFrame) -> int | None:
    """Return the place of the column that is headed as one of counts, None if there is none, or it is binary.

    >>> count_place(pd.DataFrame({"a": [0, 1], "n": [3, 1]})), count_place(pd.DataFrame({"n": [0, 1]}))
    (1, None)
    """
    texts = [lowered(name) for name in frame.columns]
    place = next((texts.index(text) for text in COUNT_NAMES if text in texts), None)
    if place is None or not is_numeric(frame.iloc[:, place]) or are_binary(frame.iloc[:, place]):
        return None
    return place


def without_counts(frame: pd.DataFrame, named: bool) -> Counted | None:
    """Return a table of binary columns without the one that counts its rows, None if it has none.

    It is named so; in a table without names it is the first, of whole numbers beside rows that all differ.

    >>> without_counts(pd.DataFrame({"n": [3, 1], "a": [0, 1]}), named=True).counts
    array([3, 1])

    Raises:
        DataError: It holds other things than whole numbers, or more rows than fit into memory.
    """
    place = count_place(frame) if named else 0
    if place is None or frame.shape[1] < (2 if named else 3):
        return None
    column = frame.iloc[:, place]
    others = frame.iloc[:, np.arange(frame.shape[1]) != place]
    if not is_numeric(column) or are_binary(column):
        return None
    if not all(is_numeric(other) and are_binary(other) for _, other in others.items()):
        return None
    name = frame.columns[place]
    counts = column.to_numpy(np.float64, na_value=np.nan)
    whole = (counts == np.floor(counts)) & (counts >= 0)
    if not named and not (whole.all() and counts.min() > 0 and not others.duplicated().any()):
        return None
    if not whole.all():
        raise DataError(
            f"expected whole numbers in column {name}, which tells how often each row was seen, got "
            f"{counts[~whole][0]:g}: multiply them by a number that makes them whole, or delete the column"
        )
    total = int(counts.sum())
    # Up to 8 bytes for each entry while it is checked, and the place, repeat and time of each row.
    require_memory(total * (8 * others.shape[1] + 24), f"delete column {name}, or divide it by a number")
    seen = f"{len(counts)} rows of the file, {total} in all, put in random order"
    remark = f"column {name} was taken as the number of times that each row was seen: {seen}"
    return Counted(others, counts.astype(np.int64), remark)


def repeated_rows(
    values: Num[np.ndarray, "rows variables"], counts: Int[np.ndarray, " rows"]
) -> Num[np.ndarray, "seen variables"]:
    """Return each row as often as it was seen, in random order: blocks of equal rows would tell nothing of each other.

    >>> sorted(repeated_rows(np.array([[0], [1]]), np.array([2, 1])).ravel().tolist())
    [0, 0, 1]
    """
    small = values.astype(np.float32 if np.isnan(values).any() else np.int8)
    places = np.repeat(np.arange(len(values)), counts)
    return small[generator(0, "counts").permutation(places)]


def is_numeric(column: pd.Series) -> bool:
    """Return True if a column holds real numbers or booleans."""
    kind = column.dtype
    number = pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)
    return number and not pd.api.types.is_complex_dtype(kind)


def are_binary(values: np.ndarray | pd.Series) -> bool:
    """Return True if all entries that are not missing are -1, 0 or 1."""
    return bool(np.isin(np.asarray(values)[~np.asarray(pd.isna(values))].astype(np.float64), (-1, 0, 1)).all())
