"""The VAE under Lightning: loss, optimiser and epoch averages; everything else is in `vae_mf.models`."""

from collections.abc import Callable

import torch

from vae_mf.checks import require_choice, require_integer, require_non_negative, require_positive
from vae_mf.models.tensors import Batch, PerSample
from vae_mf.models.vae import VAE, ElboTerms, ImportanceTerms
from vae_mf.rng import integer
from vae_mf.training.augmentation import Augmentation
from vae_mf.training.optimisers import FusedModule

Terms = ElboTerms | ImportanceTerms
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune")


class VAEModule(FusedModule):
    """Maximises a lower bound of the evidence with AdamW and an exponential learning-rate decay per epoch.

    The loss is -E_q[ln p(s|z)] + E_q[ln q(z|s) - ln p(z|T)] with one reparameterised draw and no warm-up. With several
    draws the bound is the importance-weighted one, which is tighter where q is not of the form of the true posterior;
    the encoder is then a broad proposal (`vae_mf.training.encoder_refit` makes it the closest q again). Latent noise
    comes from a generator seeded by (seed, epoch), so a resumed run repeats the draws of an uninterrupted one.

    >>> from vae_mf.models import VAE, GaussianPrior, LinearDecoder, LinearEncoder
    >>> vae = VAE(LinearEncoder(sites=5, latents=2), LinearDecoder(sites=5, latents=2), GaussianPrior(latents=2))
    >>> module = VAEModule(vae, learning_rate=1e-3, weight_decay=1e-4, decay=0.95, seed=1)
    >>> optimisers, schedules = module.configure_optimizers()
    >>> optimisers[0].param_groups[0]["lr"]
    0.001

    Args:
        vae: the model.
        learning_rate: initial learning rate.
        weight_decay: weight decay of AdamW.
        decay: factor on the learning rate after every epoch.
        seed: seed of the latent noise.
        augment: symmetry applied to every training batch, or None.
        draws: number of z for every configuration.
        compile: mode of `torch.compile` ("default", "reduce-overhead" for CUDA graphs, "max-autotune"), or None.

    Raises:
        ValueError: if the learning rate or its decay is not positive, the weight decay negative, or the mode unknown.
    """

    def __init__(
        self,
        vae: VAE,
        learning_rate: float,
        weight_decay: float,
        decay: float,
        seed: int,
        augment: Augmentation | None = None,
        draws: int = 1,
        compile: str | None = None,
    ):
        super().__init__()
        self.vae = vae
        self.learning_rate = require_positive("learning_rate", learning_rate)
        self.weight_decay = require_non_negative("weight_decay", weight_decay)
        self.decay = require_positive("decay", decay)
        self.seed = seed
        self.augment = augment
        self.draws = require_integer("draws", draws)
        self.compile_mode = compile
        bound_at = vae.elbo_at if draws == 1 else vae.importance_bound_at
        self._bound_at = bound_at if compile is None else compiled(bound_at, compile)
        self._sums: dict[str, torch.Tensor] = {}
        self._generators: dict[str, torch.Generator] = {}

    def configure_optimizers(self):
        """Return AdamW and its exponential schedule."""
        options = {"lr": self.learning_rate, "weight_decay": self.weight_decay, "fused": self.can_fuse()}
        optimiser = torch.optim.AdamW(self.vae.parameters(), **options)
        return [optimiser], [torch.optim.lr_scheduler.ExponentialLR(optimiser, self.decay)]

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Return the negative lower bound of the evidence per configuration."""
        if self.augment is not None:
            moved = self.augment(batch.configurations, self._generators["train"])
            batch = Batch(moved, batch.condition)
        return self._step("train", batch)

    def validation_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Return the negative lower bound of the evidence per validation configuration."""
        return self._step("validation", batch)

    def configure_model(self) -> None:
        """Lay weights of convolutions out with channels last, as tensor cores want them; processors gain nothing.

        Lightning asks for it before a distributed strategy sets up its buckets of gradients, which keep this layout,
        and before it restores a checkpoint, whose weights in double precision would be rounded.
        """
        self.trainer.precision_plugin.convert_module(self)
        if self.trainer.strategy.root_device.type == "cuda":
            self.vae.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def on_fit_start(self) -> None:
        """Forget averages and generators of another training, which may have been on another device."""
        self._sums.clear()
        self._generators.clear()

    def generators(self) -> list[torch.Generator]:
        """Return the generators that a training step draws from, the same ones in every epoch."""
        return [self._generators["train"]]

    def sums(self) -> list[torch.Tensor]:
        """Return the tensors in which training steps add up averages, the same ones in every epoch."""
        return [self._sums["train"]]

    def on_train_epoch_start(self) -> None:
        """Restart the averages and the latent noise."""
        self._begin("train")

    def on_validation_epoch_start(self) -> None:
        """Stop if the epoch diverged, before a checkpoint is written; restart the averages of the validation."""
        self._require_finite("train")
        self._begin("validation")

    def on_train_epoch_end(self) -> None:
        """Stop if an epoch without validation diverged; log its averages."""
        self._require_finite("train")
        self._log("train")

    def on_validation_epoch_end(self) -> None:
        """Stop if the validation diverged; log its averages."""
        self._require_finite("validation")
        self._log("validation")

    def _begin(self, stage: str) -> None:
        # Sums stay on the device, as they are, so that no step waits for them and one that was recorded finds them.
        if stage not in self._sums:
            # Of all rows bound, log-likelihood, rate, number; of a first batch without bounds such rows, temperatures.
            self._sums[stage] = torch.zeros(6, device=self.device)
            self._generators[stage] = torch.Generator(self.device)
        self._sums[stage].zero_()
        self._generators[stage].manual_seed(integer(self.seed, stage, self.current_epoch, self.global_rank))

    def _step(self, stage: str, batch: Batch) -> torch.Tensor:
        draws = None if self.draws == 1 else self.draws
        terms = self._bound_at(self.vae.noise(batch.condition, self._generators[stage], draws), *batch)
        with torch.no_grad():
            self._note(stage, terms, batch.condition.temperature)
        return -terms.bound.mean()

    def _note(self, stage: str, terms: Terms, temperature: PerSample) -> None:
        """Add up a batch; count, of the first that diverged, configurations without a bound and their temperatures."""
        bound, totals = terms.bound, self._sums[stage]
        lost = (bound - bound).ne(0).to(bound.dtype)  # NaN of what is not finite
        ones = torch.ones_like(bound)
        sums = torch.stack([bound, terms.log_likelihood, terms.rate, ones, lost, lost * temperature]).sum(1)
        sums[4:] *= totals[4] == 0
        totals += sums

    def _require_finite(self, stage: str) -> None:
        """Raise ValueError if any configuration of the epoch had no finite bound."""
        count, total = self._sums[stage][4:].tolist() if stage in self._sums else (0, 0)
        if count:
            raise ValueError(
                f"training: expected a finite loss, got none for {count:.0f} configurations of a batch of the "
                f"{stage} set in epoch {self.current_epoch}, of mean temperature {total / count:.4g}; the checkpoint "
                "of the epoch before is kept; try a smaller learning rate"
            )

    def _log(self, stage: str) -> None:
        # All processes hold equal shares of the data, up to one configuration.
        total: torch.Tensor = self.trainer.strategy.reduce(self._sums[stage].clone(), reduce_op="sum")
        bound, likelihood, rate = (total[:3] / total[3]).unbind()
        self.log(f"{stage}/loss", -bound)
        self.log(f"{stage}/log_likelihood", likelihood)
        self.log(f"{stage}/rate", rate)


def compiled(bound_at: Callable[..., Terms], mode: str) -> Callable[..., Terms]:
    """Return a bound of `VAE` compiled by TorchInductor; its shapes are fixed, for batches are of one size."""
    return torch.compile(bound_at, mode=require_choice("compile", mode, COMPILE_MODES), dynamic=False)
