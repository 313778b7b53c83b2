"""Recipe of a training run: epochs, batches, held-out fractions, and the module of loss and optimiser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vae_mf.checks import require_choice, require_fraction, require_integer, require_positive, shown
from vae_mf.models.devices import AUTO

RANDOM, COMPONENTS = "random", "components"
"""Starts of the weights of a decoder."""


@dataclass(frozen=True)
class Recipe:
    """Settings of one training run.

    >>> from functools import partial
    >>> from vae_mf.training import VAEModule
    >>> module = partial(VAEModule, learning_rate=1e-3, weight_decay=1e-4, decay=0.95)
    >>> recipe = Recipe(epochs=40, batch_size=512, module=module)
    >>> recipe.validation, recipe.test, recipe.start
    (0.1, 0.1, 'random')

    Args:
        epochs: passes over the training set.
        batch_size: number of configurations in a gradient step.
        module: function that builds the `vae_mf.training.VAEModule` from ``vae`` and ``seed``.
        validation: fraction of a store's blocks, from the end, on which the checkpoint is chosen.
        test: fraction of the blocks, before those, on which the model is evaluated.
        refit_steps: steps of a last phase that fits the prior alone to the encodings (`vae_mf.training.prior_refit`);
            0 for none.
        refit_learning_rate: learning rate at the first step of the prior's phase.
        encoder_refit_steps: steps of a last phase that fits the encoder alone to the posterior of the model, after an
            importance-weighted training (`vae_mf.training.encoder_refit`); 0 for none.
        encoder_refit_learning_rate: learning rate at the first step of the encoder's phase.
        start: "random" weights of the decoder, or "components" of a recording (`vae_mf.training.start`).
        symmetries: names of symmetries of the Hamiltonian, applied at random to every training batch
            (`vae_mf.training.augmentation`).
        captured: "auto" to let a GPU record a step and repeat it (`vae_mf.training.captured_step`); True, to be told,
            too, where there is none; False for steps one by one.

    Raises:
        ValueError: if a number is out of range.
    """

    epochs: int
    batch_size: int
    module: Callable[..., Any]
    validation: float = 0.1
    test: float = 0.1
    refit_steps: int = 0
    refit_learning_rate: float = 1e-2
    encoder_refit_steps: int = 0
    encoder_refit_learning_rate: float = 3e-3
    start: str = RANDOM
    symmetries: Sequence[str] = ()
    captured: bool | str = AUTO

    def __post_init__(self) -> None:
        require_choice("start", self.start, (RANDOM, COMPONENTS))
        if self.captured != AUTO and not isinstance(self.captured, bool):
            raise ValueError(f"captured: expected auto, true or false, got {shown(self.captured)}")
        require_integer("epochs", self.epochs)
        require_integer("batch_size", self.batch_size)
        require_fraction("validation", self.validation)
        require_fraction("test", self.test)
        for name in ("refit_steps", "encoder_refit_steps"):
            require_integer(name, getattr(self, name), minimum=0)
        for name in ("refit_learning_rate", "encoder_refit_learning_rate"):
            require_positive(name, getattr(self, name))
