"""Progress over epochs, and checkpoints that are never half-written."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from rich.progress import Progress, TaskID

from vae_mf.files import replacing
from vae_mf.training.weights import OWN


class EpochProgress(pl.Callback):
    """Advances a rich progress bar by one step per epoch and shows the validation loss, and the device of a GPU.

    Args:
        progress: started display that gets a bar for the epochs.
        name: text beside the bar.
    """

    def __init__(self, progress: Progress, name: str = "training"):
        self.progress = progress
        self.name = name
        self.task: TaskID | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar at the epoch from which training (re)starts."""
        device = trainer.strategy.root_device
        if device.type != "cpu" and self.task is None:
            self.name = f"{self.name} on {device}"
        self.task = self.progress.add_task(self.name, total=trainer.max_epochs, completed=trainer.current_epoch)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Advance the bar."""
        loss = trainer.callback_metrics.get("validation/loss")
        text = self.name if loss is None else f"{self.name}, validation loss {float(loss):.3f}"
        assert self.task is not None
        self.progress.update(self.task, advance=1, description=text)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fill the bar of a training that has ended before its last epoch."""
        task = next(task for task in self.progress.tasks if task.id == self.task)
        self.progress.update(task.id, total=task.completed)

    def close(self) -> None:
        """Take the bar off the screen."""
        if self.task is not None:
            self.progress.remove_task(self.task)


class MovableCheckpoint(ModelCheckpoint):
    """Checkpoint of Lightning that remembers the best epoch in whichever folder the training goes on.

    Lightning's own forgets it where the path of the folder has changed, and a later, worse epoch takes its place.
    """

    @property
    def state_key(self) -> str:
        """Key of the state in a checkpoint, that of Lightning's own."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a state, its files in the folder of today."""
        here = {
            name: self.here(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")
        }
        models = {self.here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **here, "best_k_models": models, "dirpath": self.dirpath})

    def here(self, path: str) -> str:
        """Return where a file of the folder is today; no file is none."""
        return str(Path(str(self.dirpath), Path(path).name)) if path else path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there, so that a killed run leaves the previous one intact.

    Args:
        training: digest of the training, which a checkpoint holds beside its own name: it is taken for no other.
    """

    def __init__(self, training: str = ""):
        super().__init__()
        self.training = training

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write ``checkpoint`` and rename it to ``path`` in one step."""
        own = checkpoint | ({OWN: [self.training, Path(path).name]} if self.training else {})
        with replacing(path) as place:
            super().save_checkpoint(own, place, storage_options)
