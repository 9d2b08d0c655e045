"""Versions of what ran, for manifests and `dr doctor`."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from core.lazy import DISTRIBUTION

# import name -> distribution, of the packages whose version can change a result
PACKAGES = {
    "numpy": "numpy",
    "numba": "numba",
    "faiss": "faiss-cpu",
    "torch": "torch",
    "transformers": "transformers",
    "sentence_transformers": "sentence-transformers",
    "tokenizers": "tokenizers",
    "rjieba": "rjieba",
    "jieba": "jieba",
    "Stemmer": "PyStemmer",
    "ir_measures": "ir-measures",
}


def installed(distribution: str) -> str | None:
    """The installed version of a distribution; None when it is absent."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def loaded() -> dict[str, str]:
    """Python, `dr`, and those packages that this process has imported."""
    found = {"python": platform.python_version(), DISTRIBUTION: installed(DISTRIBUTION) or "source"}
    for module, distribution in PACKAGES.items():
        if module in sys.modules and (number := installed(distribution)):
            found[distribution] = number
    return found
