"""How thoroughly a trained model is judged."""

from dataclasses import dataclass

from vae_mf.checks import require_integer, require_positive


@dataclass(frozen=True)
class EvaluationSettings:
    """How thoroughly a model is judged.

    Args:
        generated: configurations drawn from the model (per temperature, if there are several).
        likelihood_draws: importance draws of z per configuration.
        likelihood_samples: held-out configurations scored (per temperature); more are thinned out, chain by chain.
        pattern_temperature: where the decoder's Jacobian is averaged; None for the middle of the list.
        pattern_draws: draws of z in that average.
        restarts: restarts of FastICA.
        seed: of all randomness of the evaluation.
        word_cells: cells in a group whose 2^n words are counted, of a recording,
        word_groups: groups of them drawn at random,
        triplets: of cells drawn at random for third moments.
        tolerable_kl: KL (nats per configuration) above which a temperature is marked as not captured.
    """

    generated: int
    likelihood_draws: int
    likelihood_samples: int
    restarts: int
    pattern_draws: int
    seed: int
    tolerable_kl: float
    word_cells: int
    word_groups: int
    triplets: int
    pattern_temperature: float | None = None

    def __post_init__(self) -> None:
        for name in ("generated", "likelihood_draws", "likelihood_samples", "restarts", "pattern_draws"):
            require_integer(name, getattr(self, name))
        for name in ("word_cells", "word_groups", "triplets"):
            require_integer(name, getattr(self, name))
        require_positive("tolerable_kl", self.tolerable_kl)
        if self.pattern_temperature is not None:
            require_positive("pattern_temperature", self.pattern_temperature)
