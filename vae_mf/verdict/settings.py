"""Settings of the evaluation of a trained model."""

from dataclasses import dataclass, fields

from vae_mf.checks import require_fraction, require_integer, require_positive


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of the decision: what latent variables may leave unexplained, and which readings count.

    >>> from hydra.utils import instantiate
    >>> from omegaconf import OmegaConf
    >>> from vae_mf.paths import configurations
    >>> options = OmegaConf.load(configurations() / "evaluation" / "assessment.yaml")
    >>> instantiate(options.thresholds, share=0.05).share
    0.05

    Args:
        share: tolerable share of the total correlation.
        per_site: tolerable nats per site or variable; of the two the smaller counts.
        errors: errors from a reading to either end of what is left, of a single condition; more where there are many.
        pairs_over: factor by which the information of pairs may exceed the nats that are left.
        pairs_under: factor by which it may fall short of them.
        sets_under: factor by which the bound of a tilt of sets may fall short of what these share.
        order_seen: errors by which an order above the second must stand out to count.
        ahead: errors by which one of several other models must be ahead to count.
        control: errors by which a control may be off.
        near: factor within which what is left must be of the tolerance for the model to be fitted once more, to rows of
            its own, to learn how much of it comes from training alone.

    Raises:
        ValueError: if a number is out of range.
    """

    share: float
    per_site: float
    errors: float
    pairs_over: float
    pairs_under: float
    sets_under: float
    order_seen: float
    ahead: float
    control: float
    near: float

    def __post_init__(self) -> None:
        require_fraction("thresholds.share", self.share)
        for field in fields(self):
            require_positive(f"thresholds.{field.name}", getattr(self, field.name))


@dataclass(frozen=True)
class EquilibriumSettings:
    """Settings of the evaluation of a model of an equilibrium system.

    >>> from hydra.utils import instantiate
    >>> from omegaconf import OmegaConf
    >>> from vae_mf.paths import configurations
    >>> options = OmegaConf.load(configurations() / "evaluation" / "equilibrium.yaml")
    >>> instantiate(options, seed=1).tolerable_kl
    0.4

    Args:
        generated: number of configurations drawn from the model at each temperature.
        likelihood_draws: number of importance draws of z per configuration.
        likelihood_samples: number of held-out configurations scored at each temperature; more are thinned out, chain by
            chain.
        pattern_draws: number of draws of z over which the decoder's Jacobian is averaged.
        restarts: number of restarts of FastICA.
        tolerable_kl: KL (nats per configuration) above which a temperature is marked as not captured.
        seed: seed of all randomness.
        pattern_temperature: temperature at which the Jacobian is averaged; None for the middle of the list.

    Raises:
        ValueError: if a number is out of range.
    """

    generated: int
    likelihood_draws: int
    likelihood_samples: int
    pattern_draws: int
    restarts: int
    tolerable_kl: float
    seed: int
    pattern_temperature: float | None = None

    def __post_init__(self) -> None:
        for name in ("generated", "likelihood_draws", "likelihood_samples", "pattern_draws", "restarts"):
            require_integer(name, getattr(self, name))
        require_positive("tolerable_kl", self.tolerable_kl)
        if self.pattern_temperature is not None:
            require_positive("pattern_temperature", self.pattern_temperature)


@dataclass(frozen=True)
class PredictiveCheckSettings:
    """Settings of a posterior predictive check of binary rows.

    >>> settings = PredictiveCheckSettings(generated=20000, word_variables=10, word_groups=3, triplets=5000, seed=1)
    >>> settings.word_variables, settings.word_groups
    (10, 3)

    Args:
        generated: number of rows drawn from the model.
        word_variables: number of variables in a group whose 2^n words are counted.
        word_groups: number of such groups, drawn at random.
        triplets: number of triplets of variables drawn at random for third moments.
        seed: seed of all randomness.

    Raises:
        ValueError: if a number is out of range.
    """

    generated: int
    word_variables: int
    word_groups: int
    triplets: int
    seed: int

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "seed":
                require_integer(field.name, getattr(self, field.name))


@dataclass(frozen=True)
class RecordingSettings(PredictiveCheckSettings):
    """Settings of the evaluation of a model of a recording: a predictive check, likelihoods and what variables say.

    >>> check = PredictiveCheckSettings(generated=20000, word_variables=10, word_groups=3, triplets=5000, seed=1)
    >>> likelihoods = {"likelihood_draws": 64, "likelihood_samples": 400, "pattern_draws": 256, "blocks": 20}
    >>> RecordingSettings(**vars(check), **likelihoods).blocks
    20

    Args:
        generated, word_variables, word_groups, triplets, seed: as for `PredictiveCheckSettings`.
        likelihood_draws: number of importance draws of z per row.
        likelihood_samples: number of held-out rows scored, at most; which ones is drawn at random.
        pattern_draws: number of draws of z over which the decoder's Jacobian is averaged.
        blocks: number of blocks of neighbouring times, whose means give the errors.

    Raises:
        ValueError: if a number is out of range.
    """

    likelihood_draws: int
    likelihood_samples: int
    pattern_draws: int
    blocks: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require_integer("blocks", self.blocks, minimum=2)
