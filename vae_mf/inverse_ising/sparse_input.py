"""Sparse matrices of SciPy given to estimators in place of arrays."""

from sklearn.utils import Tags


class TakesSparse:
    """Mixin of estimators that turn sparse matrices into arrays (`checks.plain_array`).

    An entry that is not stored is 0: with ``encoding="01"`` a spin that is down.
    """

    def __sklearn_tags__(self) -> Tags:
        """Return the tags of scikit-learn, among them that of sparse matrices."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = True
        return tags
