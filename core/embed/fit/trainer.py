"""One training in one process: sentence-transformers' trainer over our rows, our losses and our checkpoints."""

from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments
from torch import Tensor, nn
from transformers import PrinterCallback, TrainerCallback

from core.embed.fit.batch import Batch
from core.embed.fit.checkpoints import Store
from core.embed.fit.examine import Examiner
from core.embed.fit.objective import Objective
from core.embed.fit.order import Loader
from core.embed.fit.plan import Plan
from core.embed.models import saved
from core.embed.recipe import Recipe


def arguments(recipe: Recipe, plan: Plan, folder: Path, deepspeed: dict[str, Any] | None) -> Any:
    """What transformers is told; when it logs, measures and saves is the business of `core.embed.fit.watch`."""
    made = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=plan.batch_size,
        gradient_accumulation_steps=plan.accumulated,
        max_steps=plan.steps,
        learning_rate=recipe.highest_rate,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm or 0.0,
        seed=recipe.seed,
        bf16=recipe.machine.precision == "bf16",
        use_cpu=_on_cpu(recipe),
        deepspeed=deepspeed,
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        log_level_replica="error",
        dataloader_drop_last=True,
    )
    made._n_gpu = min(made.n_gpu, 1)  # further GPUs are for further processes, not for DataParallel
    return made


def _on_cpu(recipe: Recipe) -> bool:
    """Whether the CPU computes; unless this is said, several processes without a GPU do not become a group."""
    found = torch.cuda.is_available() or torch.backends.mps.is_available()
    return recipe.machine.device == "cpu" or (recipe.machine.device == "auto" and not found)


class Trainer(SentenceTransformerTrainer):
    """Trains `model` on `objective`. The same recipe gives the same weights on one machine, killed or not."""

    def __init__(
        self,
        model: SentenceTransformer,
        objective: Objective,
        loader: Loader,
        *,
        plan: Plan,
        store: Store,
        examiner: Examiner,
        args: SentenceTransformerTrainingArguments,
        callback: TrainerCallback,
    ) -> None:
        super().__init__(model=model, args=args, loss=objective, callbacks=[callback])
        self.remove_callback(PrinterCallback)
        self.processing_class = None  # else it would set the special tokens of the model's configuration anew
        self.model_accepts_loss_kwargs = False  # the loss is a mean, to be divided by the batches of a step
        self._objective, self._loader, self._plan = objective, loader, plan
        self._store, self._examiner = store, examiner
        self._measured: dict[str, float] = {}

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Overrides: the model card is the artifact's."""

    def get_train_dataloader(self) -> Loader:
        """Overrides: the order knows the processes, so accelerate need not cut batches up."""
        return self._loader

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:  # noqa: ARG002
        """Overrides: the first step has a learning rate above 0, which counts in a training of 20 steps."""
        if self.lr_scheduler is None:
            scheduled: Any = optimizer or self.optimizer
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(scheduled, self._plan.rate)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Any:
        """Overrides: our batches are not sentence-transformers' columns."""
        self._objective.model = model  # what wraps it, with several processes
        loss: Tensor = self._objective(inputs)
        return (loss, {}) if return_outputs else loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Overrides: measures on what is held out."""
        self._measured = self._examiner.measured(self.model)
        self.log(dict(self._measured))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, self._measured)
        return self._measured

    def _get_output_dir(self, trial: Any) -> str:  # noqa: ARG002 - the parent's signature
        """Overrides: a checkpoint is no checkpoint before it is whole."""
        return str(self._store.unfinished)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Overrides: whole or absent."""
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            self._store.finish(self.state.global_step, self._measured)
        self.accelerator.wait_for_everyone()

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        """Overrides: what stands in an artifact, without the pickled arguments."""
        saved.save(self.model, Path(str(output_dir)))
