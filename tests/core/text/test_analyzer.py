import json

import pytest

from core.errors import ContractError, DataError
from core.text import analyzer
from core.text.spec import Chinese, English, Whitespace

B = analyzer.BIGRAM


def terms(text, **options):
    return analyzer.from_spec(Chinese(**options)).terms(text)


def test_chinese_text_is_words_and_bigrams_apart():
    assert terms("单位净值") == ["单位", "净值", f"{B}单位", f"{B}位净", f"{B}净值"]


def test_the_views_can_be_chosen():
    assert terms("基金", views=["words"]) == ["基金"]
    assert terms("基金", views=["characters"]) == [f"{analyzer.CHARACTER}基", f"{analyzer.CHARACTER}金"]


@pytest.mark.parametrize("text", ["600654.SH", "SH600654", "sh600654", "600654SH"])
def test_a_stock_code_is_a_term_with_or_without_its_market(text):
    assert "600654" in terms(f"代码{text}的公告")


def test_letters_glued_to_digits_are_found_together_and_apart():
    assert {"300etf", "300", "etf"} <= set(terms("沪深300ETF"))
    assert "300" in terms("沪深300指数")


def test_a_lexicon_without_words_to_act_on_is_refused(tmp_path):
    with pytest.raises(ValueError, match="add `words` to `views`"):
        Chinese(views=("bigrams",), lexicon=tmp_path / "words")


def test_dates_in_three_notations_share_their_term():
    found = [set(terms(text)) for text in ("日期20190125", "在2019-01-25那天", "2019年1月25日收盘")]
    assert {"20190125", "201901", "2019"} <= set.intersection(*found)


@pytest.mark.parametrize("segmenter", ["rjieba", "jieba"])
def test_a_lexicon_keeps_its_words_whole(tmp_path, segmenter):
    lexicon = tmp_path / "words.tsv"
    lexicon.write_text("# finance\n转债打新\t12\n", encoding="utf-8")
    plain, helped = (analyzer.from_spec(Chinese(segmenter=segmenter, lexicon=path)) for path in (None, lexicon))
    assert "转债打新" not in plain.terms("参与转债打新吗")
    assert "转债打新" in helped.terms("参与转债打新吗")
    assert helped.lexicon == {"转债打新"}


def test_rjieba_gives_the_words_of_jieba(root):
    fast, reference = (analyzer.from_spec(Chinese(segmenter=name)) for name in ("rjieba", "jieba"))
    rows = (root / "recipes/sample/finance_zh/corpus.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(row).get("text", "") for row in rows]
    same = sum(fast.terms(text) == reference.terms(text) for text in texts)
    assert len(texts) > 300
    assert same >= 0.97 * len(texts)


def test_english_is_stemmed_and_stopped_like_lucene():
    english = analyzer.from_spec(English(type="english"))
    assert english.terms("The company's Costs are rising; it is the bank's.") == ["compani", "cost", "rise", "bank"]


def test_an_english_lexicon_says_which_entries_have_no_weight(tmp_path, caplog):
    lexicon = tmp_path / "words.txt"
    lexicon.write_text("yield\nnet asset value\n", encoding="utf-8")
    found = analyzer.from_spec(English(type="english", lexicon=lexicon))
    assert "yield" in found.lexicon
    assert "1 lexicon entries are not one term" in caplog.text


def test_white_space_analysis_takes_terms_as_they_are():
    assert analyzer.from_spec(Whitespace(type="whitespace")).terms("A b  A") == ["A", "b", "A"]


def test_an_analyzer_is_made_again_from_its_contract():
    first = analyzer.from_spec(Chinese())
    again = analyzer.from_contract(json.loads(json.dumps(first.contract)))
    assert again.terms("基金代码009730") == first.terms("基金代码009730")


def test_a_contract_whose_terms_come_out_differently_is_refused():
    contract = {**analyzer.from_spec(Chinese()).contract, "probe": "what another rjieba gave"}
    with pytest.raises(ContractError, match="other terms than the one this index was built with"):
        analyzer.from_contract(contract).terms("基金")


@pytest.mark.parametrize(("content", "says"), [(b"\xff\xfe", "not UTF-8"), (b"# nothing\n", "no word")])
def test_an_unusable_lexicon_is_a_sentence(tmp_path, content, says):
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        analyzer.from_spec(Chinese(lexicon=path))


def test_a_lexicon_counts_as_a_source_file_of_its_recipe(tmp_path):
    from core.index.recipe import Recipe

    fields = {"stage": "index", "out": "o", "data": "d", "backend": {"type": "bm25", "analyzer": {"type": "chinese"}}}
    assert Recipe.model_validate(fields).source_files() == {}
    fields["backend"]["analyzer"]["lexicon"] = "words.txt"
    assert set(Recipe.model_validate(fields).source_files()) == {"backend.analyzer.lexicon"}
