"""TRL's trainer for fine-tuning, with a loss on what is held out that no batch size changes."""

from typing import Any

import torch
from trl.trainer.sft_trainer import SFTTrainer

from core.sft.trl.tokens import IGNORED


class Trainer(SFTTrainer):
    """Trains on examples that are tokens already."""

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Overrides: mean loss of a learned token over all that is held out. TRL's is the mean of the batches' means.

        The model is left in the mode that it was in.
        """
        model: Any = self.model
        was_training = model.training
        model.eval()
        total, count = 0.0, 0
        with torch.no_grad():
            for batch in self.get_eval_dataloader():
                inputs = self._prepare_inputs(batch)
                learned = int((inputs["labels"][:, 1:] != IGNORED).sum())
                with self.compute_loss_context_manager():
                    total += float(self.compute_loss(model, inputs)) * learned  # type: ignore[no-untyped-call]
                count += learned
        measured = {"eval_loss": total / count}
        self.log(dict(measured))  # TRL's own values of the measurement go with it, by the mode of the model
        model.train(was_training)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, measured)
        return measured
