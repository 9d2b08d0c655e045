import os
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from core.errors import RecipeError
from core.recipe import ArtifactRecipe, From, Neutral, Part, SourceFiles, dump, load, load_stage


class Sparse(Part):
    type: Literal["bm25"]
    k1: Annotated[float, Field(ge=0)] = 0.9


class Dense(Part):
    type: Literal["dense"]
    model: str
    batch_size: Annotated[int, Field(gt=0)] = 32


Engine = Annotated[Sparse | Dense, Field(discriminator="type")]


class Limits(Part):
    seconds: float | None = None


class Recipe(ArtifactRecipe):
    stage: Literal["index"]
    corpus: Annotated[Path, From("data")]
    lexicon: Annotated[Path | None, SourceFiles()] = None
    engine: Engine
    legs: tuple[Engine, ...] = ()
    limits: Annotated[Limits, Neutral()] = Limits()
    tags: Annotated[dict[str, int], Field(default_factory=dict)]


GOOD = """\
stage: index
out: made/index
# a comment does not shift the lines
corpus: made/data
engine:
  type: bm25
  k1: 1.2
legs:
  - type: bm25
  - type: dense
    model: a model
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "r.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path, overrides=()):
    with pytest.raises(RecipeError) as caught:
        load(path, Recipe, overrides)
    assert caught.value.exit_code == 2
    return caught.value


def test_a_recipe_loads_with_its_defaults(write):
    recipe = load(write(GOOD), Recipe)
    assert (recipe.out, recipe.seed, recipe.engine.k1) == (Path("made/index"), 0, 1.2)
    assert recipe.legs == (Sparse(type="bm25", k1=0.9), Dense(type="dense", model="a model", batch_size=32))


def test_a_loaded_recipe_cannot_be_changed(write):
    with pytest.raises(ValueError, match="frozen"):
        load(write(GOOD), Recipe).seed = 1


def test_a_dumped_recipe_loads_back_equal(write):
    text = GOOD + "lexicon: 词表.txt\nlimits: {seconds: 1.0e-7}\ntags: {'2024': 1, 'yes': 2, ~: 3}\n"
    recipe = load(write(text), Recipe)
    assert recipe.tags == {"2024": 1, "yes": 2, "~": 3}  # a key is a text, whatever YAML takes it for
    again = load(write(dump(recipe)), Recipe)
    assert again == recipe
    assert "batch_size: 32" in dump(recipe)  # every default is written out
    assert "词表.txt" in dump(recipe)


FAULTS = [
    # what is written, what it becomes, line, what is said
    ("  k1: 1.2", "  k_1: 1.2", 7, ["`engine.k_1` is not a field here", "did you mean `k1`?"]),
    ("out: made/index", "oout: made/index", 2, ["`oout` is not a field here", "did you mean `out`?"]),
    ("out: made/index", "zzzzz: 1\nout: made/index", 2, ["`zzzzz` is not a field here"]),
    ("  k1: 1.2", "  k1: -1", 7, ["`engine.k1`: input should be greater than or equal to 0, got -1"]),
    ("  k1: 1.2", "  k1: .nan", 7, ["`engine.k1`", "finite"]),
    ("  k1: 1.2", "  k1: much", 7, ["`engine.k1`", "a number is needed", "got 'much'"]),
    ("  type: bm25\n  k1", "  type: bm52\n  k1", 5, ["`engine`: `type` is 'bm52'", "'bm25', 'dense'"]),
    ("  type: bm25\n  k1", "  k1", 5, ["`engine` needs a `type`"]),
    ("    model: a model\n", "", 10, ["`legs.1.model` is required"]),
    ("    model: a model\n", "    model: m\n    batch_size: 0\n", 12, ["`legs.1.batch_size`", "greater than 0"]),
    ("corpus: made/data\n", "", 1, ["`corpus` is required"]),
    ("corpus: made/data", "corpus: made/data\nout: again", 5, ["`out` is given twice", "keep one"]),
    ("  k1: 1.2", "  k1: 1.2\n  k1: 1.3", 8, ["`k1` is given twice"]),
    ("corpus: made/data", "corpus: [", 6, ["not valid YAML"]),
    ("corpus: made/data", "corpus: made: data", 4, ["not valid YAML", "mapping values"]),
    ("corpus: made/data", "\tcorpus: made/data", 4, ["not valid YAML", "\\t"]),
    ("corpus: made/data", "corpus: *unknown", 4, ["not valid YAML", "undefined alias"]),
    ("corpus: made/data", "corpus: 2024-13-45", 4, ["month must be in 1..12", "quote it"]),
    ("corpus: made/data", "corpus: !!python/name:os.system x", 4, ["has no meaning here", "python/name"]),
    ("engine:", "tags: !!python/object:dict {a: 1}\nengine:", 5, ["has no meaning here", "python/object"]),
    ("legs:\n", "legs: !!python/tuple\n", 8, ["has no meaning here", "python/tuple"]),
    ("engine:", "tags: !!set {a}\nengine:", 5, ["has no meaning here"]),
    ("engine:", "tags: !env HOME\nengine:", 5, ["has no meaning here"]),
    ("engine:", "base: &b {k1: 1}\nengine:\n  <<: *b", 5, ["an alias (`*name`) repeats a part"]),
    ("stage: index\n", "stage: data\n", 1, ["a recipe of `data`", "needs one of `index`"]),
    ("out: made/index", "--- # another document\nout: made/index", 2, ["not valid YAML", "single document"]),
]


@pytest.mark.parametrize(("old", "new", "line", "says"), FAULTS, ids=[fault[1].strip()[:30] for fault in FAULTS])
def test_a_fault_is_told_with_its_line(write, old, new, line, says):
    assert GOOD.count(old) == 1, "the test changes one place"
    told = refusal(write(GOOD.replace(old, new))).render()
    assert f"r.yaml:{line}\n" in f"{told}\n"
    for words in says:
        assert words in told


@pytest.mark.parametrize("text", ["", "# nothing\n", "- stage: index\n", "stage\n"])
def test_a_file_that_is_no_mapping_is_refused(write, text):
    assert "a recipe is a mapping of fields" in refusal(write(text)).what


def test_a_recipe_without_a_stage_is_refused(write):
    path = write(GOOD.replace("stage: index\n", ""))
    assert "it has no `stage`" in refusal(path).what
    with pytest.raises(RecipeError, match="names no `stage`"):
        load_stage(path)


def test_the_stage_of_a_recipe_is_read_without_its_model(write):
    assert load_stage(write("stage: whatever\nanything: 1\n")) == "whatever"


def test_five_faults_are_told_and_the_rest_counted(write):
    told = refusal(write(GOOD + "".join(f"no_field_{i}: 1\n" for i in range(7)))).render()
    assert [f"`no_field_{i}`" in told for i in range(7)] == [True] * 5 + [False] * 2
    assert "and 2 more" in told


def test_another_encoding_is_a_sentence(tmp_path):
    (tmp_path / "r.yaml").write_bytes(GOOD.replace("a comment", "注释").encode("gb18030"))
    told = refusal(tmp_path / "r.yaml").render()
    assert "not UTF-8" in told
    assert "r.yaml:3" in told


def test_a_byte_order_mark_does_no_harm(tmp_path):
    (tmp_path / "r.yaml").write_text(GOOD, encoding="utf-8-sig")
    assert load(tmp_path / "r.yaml", Recipe).seed == 0


def test_a_control_character_is_a_sentence(write):
    assert "not valid YAML" in refusal(write(GOOD + "seed: \x00")).what


@pytest.mark.parametrize("text", ["legs: &a [*a]", "a: &a [x]\nb: [*a, *a]"])
def test_aliases_are_refused_before_they_grow(write, text):
    assert "an alias (`*name`) repeats a part" in refusal(write(f"stage: index\n{text}\n")).what


def test_endless_nesting_is_a_sentence(write):
    assert "nested too deeply" in refusal(write("stage: index\nlegs: " + "[" * 3000)).what


@pytest.mark.parametrize("name", ["none.yaml", "folder"])
def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path, name):
    (tmp_path / "folder").mkdir()
    assert "cannot read the recipe" in refusal(tmp_path / name).what


# overrides


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("seed=3", "seed", 3),
        ("engine.k1=2", "engine", Sparse(type="bm25", k1=2)),
        ("engine={type: dense, model: m}", "engine", Dense(type="dense", model="m")),
        ("limits.seconds=5", "limits", Limits(seconds=5)),  # the file has no `limits`
        ("limits.seconds=null", "limits", Limits()),
        ("lexicon=a=b.txt", "lexicon", Path("a=b.txt")),
        ("legs.0.k1=0.5", "legs", (Sparse(type="bm25", k1=0.5), Dense(type="dense", model="a model"))),
        ("legs=[]", "legs", ()),
        ("~legs.0", "legs", (Dense(type="dense", model="a model"),)),
        ("~legs", "legs", ()),
        ("~engine.k1", "engine", Sparse(type="bm25", k1=0.9)),
    ],
)
def test_an_override_wins_over_the_file(write, override, field, value):
    recipe = load(write(GOOD), Recipe, [override])
    assert getattr(recipe, field) == value
    unchanged = load(write(GOOD), Recipe).model_dump(exclude={field})
    assert recipe.model_dump(exclude={field}) == unchanged


def test_the_last_of_two_overrides_wins(write):
    assert load(write(GOOD), Recipe, ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("seed", "`seed` is not an override"),
        ("=3", "is not an override"),
        ("engine.k1=-1", "at override `engine.k1=-1`"),
        ("engine.kk1=1", "did you mean `k1`?"),
        ("engine=3", "at override `engine=3`"),
        ("engine.type=dense", "`engine.model` is required"),
        ("out.deeper=1", "`out` holds 'made/index', which has no fields"),
        ("engine.k1.deeper.still=1", "nothing to descend into at `deeper`"),
        ("legs.2.k1=1", "nothing to descend into at `2`"),
        ("legs.2={type: bm25}", "the list has 2 entries, counted from 0"),
        ("legs.first=1", "the list has 2 entries"),
        ("~seed", "the recipe file does not set `seed`"),
        ("~legs.7", "does not set `legs.7`"),
        ("~corpus", "at override `~corpus`"),
        ("seed=[", "not valid YAML"),
        ("lexicon=2024-13-45", "not valid YAML"),
        ("lexicon=!!python/name:os.system x", "not valid YAML"),
        ("stage=data", "at override `stage=data`"),
        ("²=1", "`²` is not a field here"),
    ],
)
def test_an_override_that_does_not_fit_is_told_by_its_words(write, override, says):
    assert says in refusal(write(GOOD), [override]).render()


def test_a_fault_of_the_file_keeps_its_line_beside_an_override(write):
    told = refusal(write(GOOD.replace("k1: 1.2", "k1: -1")), ["seed=3"]).render()
    assert "r.yaml:7" in told


# marks


def test_inputs_and_source_files_are_the_marked_fields(write):
    recipe = load(write(GOOD), Recipe, ["lexicon=words.txt"])
    assert [(item.name, item.path, item.mark.stages) for item in recipe.inputs()] == [
        ("corpus", Path("made/data"), ("data",))
    ]
    assert recipe.source_files() == {"lexicon": Path("words.txt")}


def test_identity_leaves_out_place_sources_and_what_is_neutral(write, tmp_path):
    os.mkdir(tmp_path / "data")
    (tmp_path / "data" / "manifest.json").write_text("{}")
    given = [f"corpus={tmp_path / 'data'}", "lexicon=words.txt", "limits.seconds=5", "legs=[]"]
    assert load(write(GOOD), Recipe, given).identity() == {
        "stage": "index",
        "seed": 0,
        "engine.type": "bm25",
        "engine.k1": 1.2,
        "legs": [],
        "tags": {},
    }


class WithDefault(Recipe):
    second: Engine = Sparse(type="bm25")


def test_a_block_without_type_that_the_default_has_says_something_of_the_default(write):
    assert load(write(GOOD), WithDefault, ["second.k1=2"]).second == Sparse(type="bm25", k1=2)
    with pytest.raises(RecipeError, match="`second` needs a `type`"):
        load(write(GOOD), WithDefault, ["second.model=m"])
