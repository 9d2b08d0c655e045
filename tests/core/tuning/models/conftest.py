import pytest

from core.tuning.models import new
from core.tuning.spec import New

TEXTS = [
    f'rewrite u{n} u{m} <think> x </think> <answer>{{"query": "d{n} d{m}"}}</answer>' for n in range(9) for m in "123"
]


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A new model of two layers."""
    folder = tmp_path_factory.mktemp("new") / "model"
    spec = New(type="new", hidden_size=32, layers=2, heads=2, vocabulary=600, max_tokens=128)
    new.write(spec, TEXTS, folder, 7)
    return folder
