"""Write the last and the best checkpoint of a run, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import lightning
from lightning.pytorch.callbacks import Checkpoint

from humanseg.system.atomic import replacing
from humanseg.training.callbacks.recorder import EpochRecorder
from humanseg.training.run_folder import RunFolder


class EpochCheckpoints(Checkpoint):
    """After every epoch: `last.ckpt`, and `best.ckpt` if the validation loss is the lowest yet.

    Any number of processes can go on from them: all hold the same weights and optimiser state.

    Which epoch is best follows from the recorder, which a resumed run restores. Lightning's own
    callback forgets it when the run folder has moved, and writes through the system's temporary
    folder, from where a rename may be a copy.
    """

    def __init__(self, folder: RunFolder, recorder: EpochRecorder) -> None:
        """Write into `folder` by what `recorder` has seen."""
        self._folder = folder
        self._recorder = recorder

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Runs after all other callbacks, as Lightning promises for `Checkpoint`."""
        if self._recorder.best_epoch == self._recorder.epochs[-1].epoch:
            _save(trainer, self._folder.best)
        _save(trainer, self._folder.last)


def _save(trainer: lightning.Trainer, path: Path) -> None:
    """Every process takes part; the main one writes."""
    if not trainer.is_global_zero:
        trainer.save_checkpoint(path)
        return
    with replacing(path) as temporary:
        trainer.save_checkpoint(temporary)
