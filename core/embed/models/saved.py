"""A model as a folder that plain `SentenceTransformer(path)` loads."""

import errno
import re
from pathlib import Path

from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer

from core.embed.models import adapters


def save(model: SentenceTransformer, path: Path) -> None:
    """Write all that the model's vectors depend on; of a model with adapters the adapters, and what they are for.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    try:
        model.save(str(path), create_model_card=False)
    except SafetensorError as error:
        # The library wraps what the system said: "… (os error 28)".
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error), str(path)) from None
    adapters.save_base(model, path)
