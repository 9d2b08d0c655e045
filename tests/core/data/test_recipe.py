import pytest

from core import shipped
from core.data.recipe import Recipe
from core.data.sources.spec import SourceSpec
from core.errors import RecipeError
from core.recipe import dump, load

SHIPPED = sorted(
    path for path in (shipped.folder() / "data").glob("*.yaml") if "\nstage: data\n" in path.read_text(encoding="utf-8")
)


def written(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"stage: data\nout: {tmp_path / 'out'}\n{text}", encoding="utf-8")
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_recipe_is_valid_and_survives_dump_and_load(path, tmp_path):
    recipe = load(path, Recipe)
    (tmp_path / "again.yaml").write_text(dump(recipe), encoding="utf-8")
    assert load(tmp_path / "again.yaml", Recipe) == recipe


def test_the_shipped_recipes_were_seen():
    assert {path.name for path in SHIPPED} >= {"tiny.yaml", "jsonl.yaml", "beir.yaml", "onefile.yaml"}


def test_shares_that_do_not_add_up_are_told_with_their_line(tmp_path):
    text = "source:\n  type: beir\n  path: x\nsplit:\n  by: query\n  train: 0.9\n  dev: 0.1\n  test: 0.1\n"
    with pytest.raises(RecipeError, match=r"add up to 1\.1: make train \+ dev \+ test equal 1") as raised:
        load(written(tmp_path, text), Recipe)
    assert raised.value.where.endswith("recipe.yaml:6")


def test_judgements_without_queries_are_refused(tmp_path):
    with pytest.raises(RecipeError, match="without `queries`"):
        load(written(tmp_path, "source: {type: jsonl, documents: d.jsonl, qrels: q.tsv}\n"), Recipe)


def test_an_unknown_source_is_told_with_those_there_are(tmp_path):
    with pytest.raises(RecipeError, match="'jsonl', 'beir', 'onefile', 'trec'"):
        load(written(tmp_path, "source: {type: xml, path: x}\n"), Recipe)


def test_every_file_of_the_user_counts_as_a_source_and_so_does_the_sample(tmp_path):
    own = "source: {type: jsonl, documents: d.jsonl, queries: q.jsonl}\n"
    assert sorted(load(written(tmp_path, own), Recipe).source_files()) == ["source.documents", "source.queries"]
    sample = load(written(tmp_path, "source: {type: sample}\n"), Recipe).source_files()
    assert sample == {"source.name": shipped.folder() / "sample" / "finance_zh"}


def test_every_kind_of_source_has_a_shipped_recipe():
    kinds = {member.model_fields["type"].annotation.__args__[0] for member in SourceSpec.__origin__.__args__}
    assert len(kinds) > 10
    assert {load(path, Recipe).source.type for path in SHIPPED} == kinds


def test_a_pattern_and_a_list_give_each_file_a_name_of_its_own(tmp_path):
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        (tmp_path / name).touch()
    own = f"source: {{type: jsonl, documents: [{tmp_path}/c.jsonl, '{tmp_path}/[ab].jsonl']}}\n"
    recipe = load(written(tmp_path, own), Recipe)
    assert {name: path.name for name, path in recipe.source_files().items()} == {
        "source.documents.0": "c.jsonl", "source.documents.1.0": "a.jsonl", "source.documents.1.1": "b.jsonl",
    }  # fmt: skip
    assert not [name for name in recipe.identity() if name.startswith("source.documents")]
