"""Saving says what the system said."""

import errno

import pytest

from core.embed.models.build import build
from core.embed.models.saved import save
from core.embed.models.spec import Pretrained


def test_a_full_disk_is_an_error_of_the_system(small_disk, tiny_bert):
    wide = Pretrained(type="pretrained", name=str(tiny_bert), pooling="cls", projection=16_384)  # 2 MB
    model = build(wide, (), "cpu")
    with pytest.raises(OSError, match=r"(?i)no space left") as told:
        save(model, small_disk / "model")
    assert told.value.errno == errno.ENOSPC


def test_the_folder_holds_no_card(tiny_bert, tmp_path):
    save(build(Pretrained(type="pretrained", name=str(tiny_bert), pooling="cls"), (), "cpu"), tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "1_Pooling",
        "2_Normalize",
        "config.json",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
