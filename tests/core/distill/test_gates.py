"""The gates: each lets good queries through and stops its own kind of bad one."""

import json
import random
import string
from collections import Counter
from difflib import SequenceMatcher

import pytest

from core import artifact
from core.data.build import run as build_data
from core.data.recipe import Recipe as DataRecipe
from core.distill import gates
from core.distill.copied import bare, copied
from core.distill.draft import Draft
from core.distill.recipe import Gates
from core.distill.refusals import refusal
from core.errors import ContractError
from core.formats import beir
from core.index.build import run as build_index
from core.index.recipe import Recipe as IndexRecipe
from core.retrieval import index
from core.retrieval.spec import Bm25

TEXTS = {
    "fund": "基金代码009730在2021年6月15日的单位净值为1.2300元，管理费率每年千分之十五。",
    "law": "遗嘱执行人为遗产管理人，没有遗嘱执行人的，继承人应当及时推选遗产管理人。",
    "law-again": "遗嘱执行人为遗产管理人，没有遗嘱执行人的，继承人应当及时推选遗产管理人。",
    "heart": "A beta blocker lowered the mortality of patients with chronic heart failure in this trial.",
    "rent": "房屋租赁合同约定的租金过高的，承租人可以请求人民法院适当减少。",
}


def made(folder, texts):
    source = folder.with_suffix(".jsonl")
    rows = [json.dumps({"id": name, "text": text}, ensure_ascii=False) for name, text in texts.items()]
    source.write_text("\n".join(rows), encoding="utf-8")
    recipe = {"stage": "data", "source": {"type": "jsonl", "documents": source}, "out": folder}
    artifact.make(DataRecipe.model_validate(recipe), build_data)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made(tmp_path_factory.mktemp("gates") / "data", TEXTS)


@pytest.fixture(scope="module")
def searched(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    index.build(beir.read_documents(data), Bm25(), folder)
    return index.open_index(folder)


@pytest.fixture
def sift(searched):
    """Verdicts on (document, query) pairs under these gates."""

    def verdicts(*pairs, **fields):
        drafts = [Draft(name, number, query, "", "phrase", "") for number, (name, query) in enumerate(pairs, 1)]
        return list(gates.Sieve(Gates(**fields), searched.store, searched).sift(drafts))

    return verdicts


def reason(verdicts):
    (verdict,) = verdicts
    return verdict.reason


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("fund", "009730的净值是多少"),
        ("fund", "单位净值 管理费率"),
        ("law", "没有遗嘱执行人怎么办"),
        ("heart", "does a beta blocker help in heart failure?"),
        ("rent", "租金太高可以减少吗"),
    ],
)
def test_a_good_query_is_kept(sift, name, query):
    assert reason(sift((name, query), max_copied=0.9)) is None


@pytest.mark.parametrize("query", ["", "  ", "？！…", "——"])
def test_a_query_without_letters_is_empty(sift, query):
    assert reason(sift(("law", query))) == "empty"


def test_length_is_counted_in_characters_without_white_space_at_the_ends(sift):
    assert reason(sift(("law", " 遗嘱 "), min_characters=2, round_trip_k=None)) is None
    assert reason(sift(("law", "遗"), min_characters=2)) == "length"
    assert reason(sift(("law", "遗嘱执行人"), max_characters=4)) == "length"


@pytest.mark.parametrize(
    "query",
    [
        "As an AI language model, I cannot write a query about this.",
        "I'm sorry, but I can't help with that.",
        "I cannot generate a question for this passage.",
        "作为一个人工智能语言模型，我不能这样做",
        "很抱歉，该段落无法生成查询",
        "无法根据给定的文档提出问题",
    ],
)
def test_an_excuse_of_a_model_is_a_refusal(query):
    assert refusal(query)


@pytest.mark.parametrize(
    "query",
    [
        "无法提供担保的小企业如何贷款",
        "我无法偿还贷款怎么办",
        "承租人不能按期支付租金的后果",
        "作为投资者如何看待人工智能行业",
        "I cannot pay my rent, what happens?",
        "why am I sorry for patients who cannot sleep?",
        "Is a claim against an AI company possible?",
    ],
)
def test_a_question_with_the_same_words_is_no_refusal(query):
    assert refusal(query) is None


def test_refusals_pass_when_they_are_not_asked_about(sift):
    query = ("law", "很抱歉，遗嘱执行人无法生成查询")
    assert reason(sift(query, round_trip_k=None)) == "refusal"
    assert reason(sift(query, round_trip_k=None, refusals=False)) is None


def test_the_language_of_a_query_is_that_of_its_document(sift):
    assert reason(sift(("law", "who manages the estate of a dead person"))) == "language"
    assert reason(sift(("heart", "慢性心力衰竭患者的死亡率"))) == "language"


def test_the_language_may_be_the_recipes(sift):
    query = ("law", "who manages the estate of a dead person")
    assert reason(sift(query, language="en", round_trip_k=None)) is None
    assert reason(sift(("law", "谁是遗产管理人"), language="en")) == "language"


@pytest.mark.parametrize("query", ["009730", "ETF 009730", "PE ratio"])
def test_codes_and_short_latin_words_are_of_no_language(sift, query):
    assert reason(sift(("fund", query), round_trip_k=None)) is None


def test_another_script_is_another_language(sift):
    assert reason(sift(("law", "遺言執行者がいない場合はどうなりますか"))) == "language"
    assert reason(sift(("heart", "смертность при сердечной недостаточности"))) == "language"


def test_a_query_must_find_its_document(sift):
    assert reason(sift(("rent", "遗嘱执行人"), round_trip_k=1)) == "round trip"
    (verdict,) = sift(("rent", "遗嘱执行人"), round_trip_k=1)
    assert verdict.detail == "not among the first 1 of bm25, the first one is `law`"


def test_a_query_that_finds_the_twin_of_its_document_has_found_it(sift):
    # `law` and `law-again` tie; ids break ties, so `law` is first and `law-again` second.
    assert reason(sift(("law-again", "遗嘱执行人"), round_trip_k=1)) is None


def test_a_query_without_a_known_word_finds_nothing(sift):
    (verdict,) = sift(("law", "量子纠缠"))
    assert (verdict.reason, verdict.detail) == ("round trip", "not among the first 20 of bm25")


def test_without_a_round_trip_no_index_is_made(data, tmp_path):
    with gates.opened(data, Gates(round_trip_k=None), tmp_path / "work"):
        assert not (tmp_path / "work" / "bm25").exists()


def test_the_first_of_equal_queries_stays_whatever_its_punctuation(sift):
    verdicts = sift(("law", "遗嘱执行人是谁？"), ("law-again", "遗嘱执行人 是谁"), ("law", "遗嘱执行人"))
    assert [verdict.reason for verdict in verdicts] == [None, "duplicate", None]
    verdicts = sift(("law", "遗嘱执行人是谁"), ("law-again", "遗嘱执行人是谁"), duplicates=False)
    assert [verdict.reason for verdict in verdicts] == [None, None]


def test_a_rejected_query_does_not_make_a_later_one_a_duplicate(sift):
    verdicts = sift(("rent", "遗嘱执行人"), ("law", "遗嘱执行人"), round_trip_k=1)
    assert [verdict.reason for verdict in verdicts] == ["round trip", None]


def test_copying_is_the_longest_common_span_as_a_share_of_the_query():
    # 遗产管理人 (5 of 8 letters) stands in the document; punctuation and blanks count nowhere
    assert copied("谁是遗产 管理人呢？", TEXTS["law"]) == pytest.approx(5 / 8)
    assert copied("Heart-Failure!", "chronic heart failure") == 1
    assert copied("１２３", "123") == 1
    assert copied("xyz", "abc") == 0
    assert copied("？", "abc") == 0


def test_copying_is_what_the_standard_librarys_matcher_finds():
    rng = random.Random(5)
    for _ in range(300):
        query, contents = ("".join(rng.choices("abc", k=rng.randint(1, 40))) for _ in range(2))
        longest = SequenceMatcher(None, query, contents, autojunk=False).find_longest_match().size
        assert copied(query, contents) == pytest.approx(longest / len(query))


def test_a_query_that_is_mostly_copied_is_stopped_where_that_is_asked(sift):
    assert reason(sift(("law", "继承人应当及时推选遗产管理人"), max_copied=0.9)) == "copied"
    assert reason(sift(("law", "继承人应当及时推选遗产管理人"))) is None


def test_bare_text_is_letters_and_digits_only():
    assert bare(f" Ａ-b_c，9 {string.punctuation}") == "abc9"


def test_verdicts_come_in_the_order_of_the_drafts_over_many_batches(searched):
    drafts = [Draft("law", n, f"遗嘱执行人{n}", "", "phrase", "") for n in range(2 * gates.BATCH + 7)]
    sieve = gates.Sieve(Gates(), searched.store, searched)
    assert [verdict.draft for verdict in sieve.sift(iter(drafts))] == drafts


def test_drafts_are_read_no_further_than_a_batch_ahead(searched):
    read = []

    def drafts():
        for number in range(10 * gates.BATCH):
            read.append(number)
            yield Draft("law", number, f"遗嘱执行人{number}", "", "phrase", "")

    next(gates.Sieve(Gates(), searched.store, searched).sift(drafts()))
    assert len(read) == gates.BATCH


def test_the_index_of_the_gates_is_gone_afterwards(data, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    (work / "left by a killed run").touch()
    with gates.opened(data, Gates(), work):
        assert (work / "bm25").is_dir()
        assert not (work / "left by a killed run").exists()
    assert not work.exists()


def test_a_draft_of_an_unknown_document_is_an_error(sift):
    with pytest.raises(ContractError, match="`nowhere`"):
        sift(("nowhere", "遗嘱"))


@pytest.fixture
def index_of(tmp_path):
    def build(data):
        recipe = {"stage": "index", "data": data, "out": tmp_path / f"index-{data.name}", "backend": {"type": "bm25"}}
        artifact.make(IndexRecipe.model_validate(recipe), build_index)
        return tmp_path / f"index-{data.name}"

    return build


def test_the_round_trip_may_ask_an_index_of_the_same_corpus(index_of, data, tmp_path):
    drafts = [Draft("law", 1, "没有遗嘱执行人怎么办", "", "", ""), Draft("rent", 1, "遗嘱执行人", "", "", "")]
    with gates.opened(data, Gates(index=index_of(data), round_trip_k=1), tmp_path / "work") as sieve:
        assert [verdict.reason for verdict in sieve.sift(drafts)] == [None, "round trip"]


def test_an_index_of_another_corpus_is_refused(data, index_of, tmp_path):
    other = made(tmp_path / "other", {**TEXTS, "new": "股票"})
    with (
        pytest.raises(ContractError, match="another corpus"),
        gates.opened(data, Gates(index=index_of(other)), tmp_path / "work"),
    ):
        pass


def test_rejected_queries_are_rows_with_their_reason(sift, tmp_path):
    verdicts = sift(("law", "遗嘱执行人"), ("law", "？"), ("rent", "遗嘱执行人"), round_trip_k=1)
    counts = Counter()
    kept = list(gates.keep(verdicts, tmp_path / "rejected.jsonl", counts))
    assert [draft.query for draft in kept] == ["遗嘱执行人"]
    assert counts == {"empty": 1, "round trip": 1}
    rows = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["query_id"], row["document_id"], row["query"], row["reason"]) for row in rows] == [
        ("law-q2", "law", "？", "empty"),
        ("rent-q3", "rent", "遗嘱执行人", "round trip"),
    ]
    assert rows[1]["question_type"] == "phrase"
