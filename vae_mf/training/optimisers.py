"""Optimisers whose step is one kernel, for modules under Lightning."""

import pytorch_lightning as pl


def can_fuse(module: pl.LightningModule) -> bool:
    """Return whether one kernel may take the whole step of an optimiser.

    Lightning forbids it where gradients are clipped in mixed precision, as such a kernel may also unscale them.

    >>> can_fuse(pl.LightningModule())
    True
    """
    trainer = module._trainer  # None where the module is used by itself, for which the public name raises
    return trainer is None or not trainer.gradient_clip_val
