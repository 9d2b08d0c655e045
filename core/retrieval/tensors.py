"""What safetensors files hold, read from their headers: names, shapes, and a digest of samples."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core import digest
from core.errors import ArtifactError

_SAMPLES, _SAMPLE_BYTES = 16, 64


def shapes(folder: Path) -> dict[str, list[int]]:
    """Every tensor's shape, by name.

    Raises:
        ArtifactError: a file is cut off or is no safetensors file.
    """
    return {name: tensor["shape"] for path in _files(folder) for name, tensor in _header(path)[0].items()}


def sampled_digest(folder: Path) -> str:
    """Digest of samples of every tensor: tells two trainings apart without reading them whole, whatever files the
    tensors are spread over.

    Raises:
        ArtifactError: a file is cut off or is no safetensors file.
    """
    return digest.of_files(dict(pair for path in _files(folder) for pair in _samples(path)))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """What the file says of its tensors, and where their bytes start."""
    with path.open("rb") as file:
        try:
            (length,) = struct.unpack("<Q", file.read(8))
            tensors: dict[str, Any] = json.loads(file.read(min(length, path.stat().st_size)))
        except (struct.error, ValueError):
            raise ArtifactError("this is no safetensors file, or its head is cut off", where=str(path)) from None
    tensors.pop("__metadata__", None)
    needed = 8 + length + max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
    if path.stat().st_size < needed:
        raise ArtifactError(
            f"the weights are cut off: {path.stat().st_size:,} of {needed:,} bytes",
            where=str(path),
            hint="copy or download the file again",
        )
    return tensors, 8 + length


def _samples(path: Path) -> Iterator[tuple[str, str]]:
    """Each tensor's name, and its type, shape and some of its bytes as hexadecimal digits."""
    tensors, data = _header(path)
    with path.open("rb") as file:
        for name, tensor in tensors.items():
            start, end = tensor["data_offsets"]
            taken = []
            for offset in range(start, end, max(1, (end - start) // _SAMPLES)):
                file.seek(data + offset)
                taken.append(file.read(min(_SAMPLE_BYTES, end - offset)).hex())
            yield name, f"{tensor['dtype']} {tensor['shape']} {' '.join(taken)}"
