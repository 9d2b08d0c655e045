"""A function of one's own, in either signature; what it gives is a finite number or an error with its place."""

import pytest

from core.errors import RecipeError
from core.reward.faults import BadReward
from core.reward.sample import Sample

GOOD = '<answer>{"query": "new"}</answer>'


@pytest.fixture
def own(scorer, tmp_path):
    """Score one sample by code: `own(code, …)`."""

    def score(code, truth='{"d1": 1}', **part):
        (tmp_path / "mine.py").write_text(code, encoding="utf-8")
        reward = scorer({"type": "python", "file": str(tmp_path / "mine.py"), **part})
        (item,) = reward.score([Sample("old", GOOD, truth, "funds", {"index": 3})])
        return item.total

    return score


def test_a_function_gets_both_queries_and_the_relevant_documents(own):
    code = "def compute_reward(original_query, rewritten_query, ground_truth_docs=None):\n"
    code += (
        "    assert (original_query, rewritten_query, ground_truth_docs) == ('old', 'new', ['d1'])\n    return 0.5\n"
    )
    assert own(code) == 0.5


def test_without_judgements_it_gets_none(own):
    assert own("def compute_reward(a, b, docs=None):\n    return float(docs is None)\n", truth="") == 1


def test_a_class_is_made_once_with_its_config(own):
    code = "class Mine:\n    def __init__(self, config):\n        self.k = config['k']\n"
    code += "    def compute_reward(self, a, b, docs):\n        return self.k / 10\n"
    assert own(code, function="Mine.compute_reward", config={"k": 7}) == 0.7


def test_verl_s_signature_may_give_a_dict(own):
    code = "def compute_score(data_source, solution_str, ground_truth, extra_info=None):\n"
    code += "    assert (data_source, extra_info['index']) == ('funds', 3)\n    return {'score': 2, 'more': 1}\n"
    assert own(code, function="compute_score", signature="verl") == 2


def test_a_file_may_import_its_neighbour(own, tmp_path):
    (tmp_path / "neighbour_of_mine.py").write_text("VALUE = 0.25\n")
    assert own("from neighbour_of_mine import VALUE\ndef compute_reward(a, b, c):\n    return VALUE\n") == 0.25


@pytest.mark.parametrize(
    ("result", "shown"),
    [("float('nan')", "float 'nan'"), ("float('inf')", "float 'inf'"), ("[1.0]", "list"), ("None", "NoneType"),
     ("True", "bool"), ("'1'", "str"), ("{'score': 1}", "dict")],
)  # fmt: skip
def test_what_is_no_finite_number_is_refused_with_file_and_function(own, tmp_path, result, shown):
    with pytest.raises(BadReward, match=rf"`compute_reward` gave {shown}.*not a finite number") as caught:
        own(f"def compute_reward(a, b, c):\n    return {result}\n")
    assert str(tmp_path / "mine.py") in caught.value.where
    assert caught.value.exit_code == 4


def test_an_error_is_told_with_its_line(own, tmp_path):
    with pytest.raises(BadReward, match="`compute_reward` failed: ZeroDivisionError") as caught:
        own("def compute_reward(a, b, c):\n    x = 1\n    return x / 0\n")
    assert caught.value.where == f"{tmp_path / 'mine.py'}:3"


def test_its_own_exit_is_no_end_of_the_run(own):
    with pytest.raises(BadReward, match="SystemExit"):
        own("def compute_reward(a, b, c):\n    raise SystemExit(0)\n")


def test_an_async_function_is_refused(own):
    with pytest.raises(BadReward, match="is `async`"):
        own("async def compute_reward(a, b, c):\n    return 1.0\n")


def test_a_function_that_is_not_there_is_named_with_those_that_are(own):
    with pytest.raises(BadReward, match=r"no function `compute_reward`; the file has `reward`"):
        own("def reward(a, b, c):\n    return 1.0\n")


def test_a_file_that_is_not_there_is_refused_before_any_work(scorer):
    with pytest.raises(RecipeError, match="there is no such file"):
        scorer({"type": "python", "file": "nowhere.py"})


def test_a_number_of_another_library_is_a_number(own):
    assert own("import numpy\ndef compute_reward(a, b, c):\n    return numpy.float32(0.5)\n") == 0.5
