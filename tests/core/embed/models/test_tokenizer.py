from core.embed.models import tokenizer

TEXTS = ["股东大会通过了议案", "大会通过议案，股东同意", "The Fund pays a dividend", "the fund paid"] * 3


def test_pieces_stay_inside_words_and_need_no_segmenter():
    # rjieba: 股东大会 / 通过 / 了 / 议案; 大会 / 通过 / 议案 / 股东 / 同意
    learnt = tokenizer.learn(TEXTS, 500)
    assert learnt.encode("股东大会通过了议案").tokens == ["股东大会", "通过", "了", "议案"]
    assert "了议案" not in learnt.get_vocab()


def test_case_width_and_punctuation_make_no_difference():
    learnt = tokenizer.learn(TEXTS, 500)
    assert learnt.encode("ＴＨＥ　Ｆｕｎｄ！").ids == learnt.encode("the fund").ids


def test_an_unknown_character_is_one_unknown_piece():
    assert tokenizer.learn(TEXTS, 500).encode("股东龘").tokens == ["股东", tokenizer.UNKNOWN]


def test_the_same_texts_give_the_same_tokenizer():
    assert tokenizer.learn(TEXTS, 60).to_str() == tokenizer.learn(TEXTS, 60).to_str()
