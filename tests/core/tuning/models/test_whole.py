import json
import shutil

import peft
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.errors import ContractError
from core.llm import checkpoint as checkpoints
from core.llm.checkpoint import differs
from core.tuning.models import start
from core.tuning.models.whole import conclude, whole
from core.tuning.spec import New, Pretrained

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own


@pytest.fixture
def adapted(small, tmp_path):
    """A checkpoint with adapters that change what the model says, and what it says with them."""
    torch.manual_seed(3)
    model = peft.get_peft_model(
        AutoModelForCausalLM.from_pretrained(small),
        peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"),
    )
    model.save_pretrained(tmp_path / "adapted")
    return tmp_path / "adapted", logits(model)


def logits(model):
    with torch.no_grad():
        return model(torch.arange(20)[None]).logits


def test_adapters_are_merged_into_their_base(small, adapted, tmp_path):
    whole(adapted[0], str(small), tmp_path / "model", {"name": "finance", "digest": "d"})
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert not list((tmp_path / "model").glob("adapter*"))
    assert torch.allclose(logits(model), adapted[1], atol=1e-5)
    assert not torch.allclose(logits(model), logits(AutoModelForCausalLM.from_pretrained(small)), atol=1e-3)
    assert AutoTokenizer.from_pretrained(tmp_path / "model").chat_template
    assert checkpoints.prompts(str(tmp_path / "model")) == {"name": "finance", "digest": "d"}


def test_an_artifact_with_adapters_holds_them_beside_the_whole_model(small, adapted, tmp_path):
    spec = Pretrained.model_validate({"type": "pretrained", "path": str(small), "lora": {}})
    conclude(adapted[0], spec, str(small), tmp_path, None)
    assert json.loads((tmp_path / "adapter/adapter_config.json").read_text())["base_model_name_or_path"] == str(small)
    again = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(small), tmp_path / "adapter")
    assert torch.allclose(logits(again), adapted[1])
    assert checkpoints.prompts(str(tmp_path / "model")) is None


def test_a_checkpoint_of_all_weights_is_copied_without_what_a_resume_needs(small, tmp_path):
    shutil.copytree(small, tmp_path / "checkpoint-3")
    for name in ("optimizer.pt", "trainer_state.json", "measured.json", "rng_state.pth"):
        (tmp_path / "checkpoint-3" / name).write_text("{}")
    whole(tmp_path / "checkpoint-3", str(small), tmp_path / "model", None)
    assert {path.name for path in (tmp_path / "model").iterdir()} == {path.name for path in small.iterdir()}


def test_adapters_for_another_base_are_refused(adapted, tmp_path):
    start.begin(New(type="new", hidden_size=64, layers=2, heads=2), lambda: ["a b"], tmp_path, 1)
    with pytest.raises(ContractError, match="does not fit"):
        whole(adapted[0], str(tmp_path / start.START), tmp_path / "model", None)


def test_a_new_model_is_made_once_and_known_by_its_weights(tmp_path):
    spec = New(type="new", hidden_size=32, layers=1, heads=2)
    first = start.begin(spec, lambda: ["a b"], tmp_path, 1)
    seen = start.fingerprint(first)
    assert start.begin(spec, lambda: pytest.fail("it is there"), tmp_path, 1) == first
    start.drop(tmp_path)
    start.begin(spec, lambda: ["a b"], tmp_path, 2)
    assert start.fingerprint(first) != seen
    start.drop(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_other_prompts_than_the_models_are_told(small, tmp_path):
    shutil.copytree(small, tmp_path / "model")
    (tmp_path / "model" / checkpoints.PROMPTS).write_text('{"name": "finance", "digest": "aaa"}')
    assert "`finance` (aaa)" in differs(str(tmp_path / "model"), {"digest": "bbb"})
    assert differs(str(tmp_path / "model"), {"digest": "aaa"}) is None
    assert differs(str(tmp_path / "model"), None) is None
    assert differs(str(small), {"digest": "bbb"}) is None
