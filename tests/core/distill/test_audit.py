"""`dr distill audit`: a made artifact, and the real command on a real one."""

import json
import math
import subprocess
import sys

import pytest

from core import artifact
from core.distill import audit
from core.errors import ArtifactError, DataError
from core.formats import beir
from core.recipe import ArtifactRecipe
from core.types import Document, Query

ASKER = "一位银行职员"


def query(number, text, kind="keywords", **metadata):
    return Query(f"d1-q{number}", text, {"document": "d1", "question_type": kind, **metadata})


QUERIES = [
    query(1, "单位净值", difficulty="phd", character=ASKER),
    query(2, "基金的单位净值是多少", difficulty="phd"),
    query(3, "它是基金吗", "yes_or_no", difficulty="university"),
    query(4, "基金", difficulty="university"),
]


@pytest.fixture
def make(tmp_path):
    """Makes an artifact of distillation and gives its folder; `files` are further files of rows."""

    def distilled(queries=QUERIES, **files):
        def work_of(_, work):
            beir.write_documents(work.path, [Document("d1", "本基金的单位净值为1.2300元。")])
            if queries:
                beir.write_queries(work.path, queries)
            for name, rows in files.items():
                lines = "".join(json.dumps(row) + "\n" for row in rows)
                (work.path / f"{name}.jsonl").write_text(lines, encoding="utf-8")

        artifact.make(ArtifactRecipe(stage="distill", out=tmp_path / "distill"), work_of)
        return tmp_path / "distill"

    return distilled


def test_queries_are_counted_by_type_difficulty_and_persona(make):
    facets = audit.inspect(make()).facets
    assert facets["question_type"].counts == {"keywords": 3, "yes_or_no": 1}
    assert facets["difficulty"].counts == {"phd": 2, "university": 2}
    assert facets["character"].counts == {"": 3, ASKER: 1}


def test_balance_is_entropy_over_that_of_all_types_that_could_be():
    # 3 of 4 and 1 of 4, of five possible types
    found = audit.facet(["keywords"] * 3 + ["summary"], {"keywords", "summary", "background", "yes_or_no", "acquire"})
    assert found.balance == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(5))
    assert audit.facet(["a", "b"] * 5).balance == pytest.approx(1)
    assert audit.facet(["a", "a"]).balance is None


def test_types_of_another_teacher_are_compared_among_themselves():
    assert audit.facet(["title", "phrase"], {"keywords", "summary", "background"}).balance == pytest.approx(1)


def test_values_beyond_the_most_frequent_are_summed_up():
    found = audit.facet([str(number) for number in range(12)] + ["0"])
    assert next(iter(found.counts.items())) == ("0", 2)
    assert (len(found.counts), found.others, found.values) == (10, 2, 12)


def test_rejections_are_rates_of_all_that_came_to_the_gates(make):
    rows = [{"reason": "round trip"}, {"reason": "round trip"}, {"reason": "duplicate"}]
    found = audit.inspect(make(rejected=rows)).as_dict()
    assert found["drafts"] == 7
    assert found["rejected"] == {"round trip": 2, "duplicate": 1}
    assert found["rejection_rates"]["round trip"] == pytest.approx(2 / 7)


def test_failures_are_counted_by_reason(make):
    assert audit.inspect(make(failed=[{"reason": "time-out"}, {"reason": "time-out"}])).failed == {"time-out": 2}


def test_files_without_a_row_are_nothing_rejected(make):
    found = audit.inspect(make(rejected=[], failed=[]))
    assert (found.rejected, found.failed) == ({}, {})


def test_lengths_and_copying_are_percentiles_of_the_queries(make):
    found = audit.inspect(make())
    assert found.characters == {"0": 2, "25": 2, "50": 4, "75": 5, "100": 10}
    # 单位净值 and 基金 are whole, 基金的单位净值 is 7 of 10, 基金 is 2 of 5
    assert found.copied == pytest.approx({"0": 0.4, "25": 0.4, "50": 0.7, "75": 1, "100": 1})


def test_examples_of_each_type_are_drawn_by_the_seed(make):
    folder = make()
    found = audit.inspect(folder, examples=2, seed=1)
    assert {name: len(some) for name, some in found.examples.items()} == {"keywords": 2, "yes_or_no": 1}
    assert found.examples == audit.inspect(folder, examples=2, seed=1).examples
    assert len({str(audit.inspect(folder, examples=2, seed=seed).examples) for seed in range(9)}) > 1


def test_an_artifact_of_another_stage_is_refused(make, tmp_path):
    artifact.make(ArtifactRecipe(stage="data", out=tmp_path / "data"), lambda _, work: (work.path / "x").touch())
    with pytest.raises(ArtifactError, match="artifact of `distill` is needed"):
        audit.inspect(tmp_path / "data")


def test_a_set_without_a_query_is_an_error_with_the_reasons(make):
    with pytest.raises(DataError, match=r"no query was kept \(2 × length\)"):
        audit.inspect(make(queries=[], rejected=[{"reason": "length"}] * 2))


def dr(*argv):
    code = "import cli.commands.audit, cli.main; cli.main.main()"
    done = subprocess.run([sys.executable, "-c", code, *map(str, argv)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_prints_tables_and_one_json_object(make):
    folder = make(rejected=[{"reason": "round trip"}], failed=[{"reason": "time-out"}])
    told = dr("distill", "audit", folder, "--examples", 1)
    for word in (
        "4 queries of 1 documents",
        "keywords",
        "phd",
        ASKER,
        "round trip",
        "0.2000",
        "time-out",
        "它是基金吗",
    ):
        assert word in told
    found = json.loads(dr("distill", "audit", folder, "--json"))
    assert found["facets"]["question_type"]["counts"] == {"keywords": 3, "yes_or_no": 1}
    assert found["rejection_rates"] == {"round trip": 0.2}
