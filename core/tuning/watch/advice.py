"""What to try when a fine-tuning goes wrong, or memory runs out, as overrides: what all trainers of ours share."""

from collections.abc import Iterator

from core.memory import Knob
from core.recipe.remedies import Line
from core.tuning.spec import Pretrained, Trainer, Trl, Verl
from core.tuning.trained import Trained


def slower(recipe: Trained, why: str) -> Line:
    """Half of the learning rate: 1e-6 -> 5e-7 is what source A advises."""
    return f"learning_rate={recipe.learning_rate / 2:g}", f"now {recipe.learning_rate:g}: {why}"


def no_number(recipe: Trained) -> Iterator[Line]:
    """For a loss or a gradient that is NaN or infinite."""
    yield slower(recipe, "smaller steps")
    if recipe.max_grad_norm > 0.1:
        yield f"max_grad_norm={recipe.max_grad_norm / 10:g}", f"now {recipe.max_grad_norm:g}: no single batch moves far"
    if isinstance(recipe.trainer, Trl) and recipe.trainer.precision == "bf16":
        yield "trainer.precision=fp32", "now bf16: more exact numbers"
    if isinstance(recipe.trainer, Verl) and recipe.trainer.dtype == "bf16":
        yield "trainer.dtype=fp32", "now bf16: more exact numbers"


def knobs(recipe: Trained, rows: int | None = None) -> list[Knob]:
    """What decides how much memory the training needs, in the order of the sources: a smaller batch, activations that
    are not kept, what is shared and moved out (FSDP), fewer weights that are trained, fewer bits.

    `rows`: of one change of the weights, which those computed at a time divide. None: the batch.
    """
    rows = rows or recipe.batch_size
    trainer, model = recipe.trainer, recipe.model
    given, again = trainer.micro_batch_size, trainer.gradient_checkpointing
    parts = (size for size in range((given or rows) // 2, 0, -1) if rows % size == 0)
    found = [
        Knob("trainer.micro_batch_size", given, next(parts, given), "rows at a time, for the same batch"),
        Knob("trainer.gradient_checkpointing", again, True, "activations are computed twice, not kept"),
    ]
    if isinstance(trainer, Verl) and trainer.device != "cpu":
        found += _of_gpus(trainer)
    if isinstance(model, Pretrained):
        found += _of_weights(model, trainer)
    return found


def _of_gpus(trainer: Verl) -> Iterator[Knob]:
    share = trainer.rollout.gpu_memory_utilization
    less = round(share / 2, 3) if share > 0.2 else share
    yield Knob("trainer.offload", trainer.offload, True, "FSDP keeps what is not needed in main memory")
    yield Knob("trainer.rollout.gpu_memory_utilization", share, less, "what the engine takes that writes answers")
    yield Knob("trainer.gpus", trainer.gpus, 2 * trainer.gpus, "FSDP shares the model among them, where there are more")


def _of_weights(model: Pretrained, trainer: Trainer) -> Iterator[Knob]:
    """Adapters instead of all weights, then frozen weights in fewer bits (TRL alone trains these)."""
    if model.lora is None:
        yield Knob("model.lora", None, "{}", "no gradients and optimiser state for frozen weights")
    elif isinstance(trainer, Trl) and trainer.device not in {"cpu", "mps"} and model.quantize != "4bit":
        yield Knob("model.quantize", model.quantize, "4bit", "frozen weights in 4 bits (needs bitsandbytes)")
