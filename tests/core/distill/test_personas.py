"""`dr distill personas`: reading, filtering, translating, indexing, finding."""

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from core import artifact
from core.distill.personas import build, estimate
from core.distill.personas.finder import open_personas
from core.distill.personas.recipe import Recipe
from core.errors import ArtifactError, DataError
from core.text.language import language_of

LINES = [
    '{"persona": "A nurse who works nights"}',
    "{'persona': 'A banker who doesn\\'t trust rating agencies'}",
    "{'persona': \"A teacher's son with a taste for stocks\"}",
    "{'persona': '一位非金融行业的创业者，认可“冒名顶替”的看法'}",
    '{"input persona": "A Financial analyst", "synthesized text": "more"}',
    '{"persona": "a financial ANALYST"}',
]


@pytest.fixture
def library(tmp_path):
    """Makes an artifact out of lines; gives its folder."""

    def made(lines=LINES, **fields):
        source = tmp_path / "persona.jsonl"
        source.write_text("\n".join(lines), encoding="utf-8")
        recipe = {"stage": "personas", "source": source, "out": tmp_path / "personas", **fields}
        artifact.make(Recipe.model_validate(recipe), build.run)
        return tmp_path / "personas"

    return made


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def personas(folder):
    return [row["persona"] for row in rows(folder / "personas.jsonl")]


def stats(folder):
    return artifact.read(folder)["stats"]


def test_json_and_python_dicts_are_read_apostrophes_and_all(library):
    assert personas(library()) == [
        "A nurse who works nights",
        "A banker who doesn't trust rating agencies",
        "A teacher's son with a taste for stocks",
        "一位非金融行业的创业者，认可“冒名顶替”的看法",
        "A Financial analyst",
    ]


def test_a_persona_said_twice_is_one_whatever_its_case(library):
    folder = library()
    assert stats(folder)["duplicates"] == 1
    assert [row["id"] for row in rows(folder / "personas.jsonl")] == ["p1", "p2", "p3", "p4", "p5"]


def test_a_keyword_is_found_in_any_case_and_inside_a_word(library):
    folder = library(keywords=["FINANC"])
    assert personas(folder) == ["A Financial analyst"]
    assert stats(folder)["without_keyword"] == 4


def test_one_of_many_keywords_is_enough(library):
    assert personas(library(keywords=["nurse", "金融"])) == [
        "A nurse who works nights",
        "一位非金融行业的创业者，认可“冒名顶替”的看法",
    ]


def test_no_persona_with_the_keyword_is_an_error_that_names_it(library):
    with pytest.raises(DataError, match="none of the 6 personas holds `sport`"):
        library(keywords=["sport"])


def test_a_limit_takes_the_first(library):
    assert len(personas(library(limit=2))) == 2


BROKEN = [
    "{'persona': 'A nurse who isn't here'}",
    '{"persona": ',
    '{"name": "A nurse"}',
    '{"persona": 7}',
    '{"persona": "  "}',
    '["A nurse"]',
    "('A', 'nurse')",
    "__import__('os').getcwd()",
    "(" * 500 + ")" * 500,
    "{1: 'a', 'persona': 'A nurse'}",
    "{'persona': {'A', 'nurse'}}",
    "{'persona': 'half a sign: \\ud83d'}",
]


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_line_is_told_with_its_place(library, line):
    with pytest.raises(DataError, match=r"persona\.jsonl:7: "):
        library([*LINES, line])


def test_broken_lines_are_set_aside_with_their_reason_where_that_is_asked(library):
    folder = library([*LINES, *BROKEN], on_bad_row="reject")
    assert len(personas(folder)) == 5
    assert stats(folder)["bad_rows"] == {"broken JSON": 4, "missing text": 2, "bad text": 1, "not an object": 5}
    rejected = rows(folder / "rejected.jsonl")
    assert rejected[0]["where"].endswith("persona.jsonl:7")
    assert "neither JSON" in rejected[0]["what"]


def test_a_backslash_in_a_python_text_is_no_warning(library):
    assert personas(library(["{'persona': 'uses \\d in patterns'}"])) == [r"uses \d in patterns"]


def test_an_absent_file_is_an_error_in_words(tmp_path):
    recipe = {"stage": "personas", "source": tmp_path / "none.jsonl", "out": tmp_path / "personas"}
    with pytest.raises(ArtifactError, match="No such file"):
        artifact.make(Recipe.model_validate(recipe), build.run)


def test_the_nearest_personas_of_many_texts_come_in_one_batch(library):
    finder = open_personas(library())
    found = finder.nearest(["nights of nurses and a nurse", "stocks, and a banker", "冒名顶替"], k=2)
    assert found[0][0] == "A nurse who works nights"
    assert set(found[1]) == {"A banker who doesn't trust rating agencies", "A teacher's son with a taste for stocks"}
    assert found[2] == ["一位非金融行业的创业者，认可“冒名顶替”的看法"]
    assert finder.nearest([]) == []


def test_a_text_that_shares_no_word_finds_nobody_by_bm25(library):
    assert open_personas(library()).nearest(["量子"]) == [[]]


def test_personas_are_found_by_meaning_with_an_encoder(library, static_model):
    folder = library(backend={"type": "dense", "model": str(static_model), "max_tokens": None})
    (found,) = open_personas(folder).nearest(["a banker who trusts agencies"], k=5)
    assert len(found) == 5
    assert found[0] == "A banker who doesn't trust rating agencies"


def test_an_encoder_sees_256_tokens_unless_told_otherwise(tmp_path):
    recipe = {"stage": "personas", "source": "x", "out": tmp_path / "p", "backend": {"type": "dense", "model": "m"}}
    assert Recipe.model_validate(recipe).backend.max_tokens == 256


def test_another_artifact_is_no_library(tmp_path):
    from core.recipe import ArtifactRecipe

    artifact.make(ArtifactRecipe(stage="index", out=tmp_path / "x"), lambda _, work: (work.path / "x").touch())
    with pytest.raises(ArtifactError, match="`personas` is needed"):
        open_personas(tmp_path / "x")


def test_a_prompt_without_the_persona_is_refused(tmp_path):
    translate = {"prompt": "translate", "llm": {"server": {"type": "openai"}}}
    recipe = {"stage": "personas", "source": "x", "out": tmp_path / "p", "translate": translate}
    with pytest.raises(ValidationError, match="no `\\$persona`"):
        Recipe.model_validate(recipe)


ENGLISH = [f'{{"persona": "A financial analyst who follows market number {number} every day"}}' for number in range(30)]
CHINESE = '{"persona": "一位关注公司年报的小股东"}'


# The double answers with a piece of the question's longest line: here a Chinese one.
LONG = (
    "\n请把上面的人物描述译成中文，"
    + "只写译文，不要解释，也不要加引号，要通顺、准确、完整，不要遗漏，也不要增加。" * 3
)


def translated(server):
    """A recipe's `translate`."""
    llm = {"server": {"type": "openai", "model": "m", "base_url": server.url}}
    return {"prompt": f"$persona{LONG}", "llm": llm}


def test_personas_are_translated_in_order_and_keep_their_original(library, llm_server):
    with llm_server() as server:
        folder = library([*ENGLISH, CHINESE], translate=translated(server))
        asked = server.tries()
    found = rows(folder / "personas.jsonl")
    assert [row["id"] for row in found] == [f"p{number}" for number in range(1, 32)]
    assert [row["original"] for row in found[:-1]] == [json.loads(line)["persona"] for line in ENGLISH]
    assert {language_of(row["persona"]) for row in found} == {"zh"}
    # what is Chinese already is not asked about
    assert found[-1] == {"id": "p31", "persona": "一位关注公司年报的小股东"}
    assert len(asked) == 30


def test_an_answer_in_another_language_is_a_failure_not_a_persona(library, llm_server):
    with llm_server(style="foreign") as server:
        translate = {**translated(server), "prompt": "translate: $persona", "attempts": 2}
        folder = library([*ENGLISH[:3], CHINESE], translate=translate)
        asked = server.tries()
    assert personas(folder) == ["一位关注公司年报的小股东"]
    assert [(row["id"], row["reason"]) for row in rows(folder / "failed.jsonl")] == [
        ("p1", "not Chinese"), ("p2", "not Chinese"), ("p3", "not Chinese"),
    ]  # fmt: skip
    assert len(asked) == 6


def test_no_translation_at_all_is_an_error(library, llm_server):
    with llm_server(style="foreign") as server:
        translate = {**translated(server), "prompt": "translate: $persona", "attempts": 1}
        with pytest.raises(DataError, match="no persona could be translated: not Chinese"):
            library(ENGLISH[:2], translate=translate)


def test_a_stopped_translation_pays_for_no_answer_twice(tmp_path, llm_server):
    (tmp_path / "persona.jsonl").write_text("\n".join(ENGLISH), encoding="utf-8")
    command = [sys.executable, "-m", "cli.main", "distill", "personas", "p.yaml"]
    with llm_server(latency=0.05, slots=1) as server:
        recipe = {"stage": "personas", "source": "persona.jsonl", "out": "p", "translate": translated(server)}
        (tmp_path / "p.yaml").write_text(json.dumps(recipe), encoding="utf-8")
        journal = tmp_path / "p.partial/logs/answers.jsonl"
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as first:
            while not (journal.exists() and journal.read_bytes().count(b"\n") >= 3):
                assert first.poll() is None, first.stderr.read()
            first.kill()
        kept = journal.read_bytes().count(b"\n")
        second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert second.returncode == 0, second.stderr
    assert len(personas(tmp_path / "p")) == 30
    assert 3 <= kept < 30
    assert stats(tmp_path / "p")["llm"]["journal_hits"] == kept
    assert (tmp_path / "p/logs/answers.jsonl").read_bytes().count(b"\n") == 30


def test_the_cost_of_a_translation_is_told_beforehand(tmp_path):
    (tmp_path / "persona.jsonl").write_text("\n".join([*ENGLISH, CHINESE, "broken"]), encoding="utf-8")
    recipe = {"stage": "personas", "source": tmp_path / "persona.jsonl", "out": tmp_path / "p"}
    assert estimate.run(Recipe.model_validate(recipe)) == "no language model is asked: 31 personas are taken"
    translate = {"llm": {"server": {"type": "openai"}}}
    told = estimate.run(Recipe.model_validate({**recipe, "translate": translate}))
    assert told.startswith("31 personas are taken, 30 of them to be translated: about 30 requests")
