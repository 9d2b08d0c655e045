"""The laws of the house, each held by a test."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "core").rglob("*.py"), *(ROOT / "cli").rglob("*.py")])

GROUND = {"errors", "types", "lazy", "digest", "versions", "recipe", "artifact", "process", "progress", "tracking"}
GROUND |= {"memory", "shipped", "address", "retry", "worker"}
TOOLS = {"formats", "text", "measure", "significance", "retrieval", "reward", "llm", "hub", "environment", "doctor"}
TOOLS |= {"remote", "tuning"}
STAGES = {"data", "distill", "embed", "index", "serve", "eval", "rewrite", "sft", "rl"}

FURTHER = [
    ("data", "rows", "data/rows-tiny"),
    ("data", "mix", "data/mix"),
    ("distill", "personas", "distill/personas"),
    ("distill", "mine", "distill/mine-tiny"),
    ("distill", "reasoning", "distill/reasoning"),
    ("distill", "run", "distill/finance"),
    ("embed", "merge", "embed/merge"),
    ("embed", "encode", "embed/encode"),
    ("embed", "train", "embed/qwen3-infonce-lora"),
    ("rl", "probe", "rl/probe-tiny"),
    ("rl", "train", "rl/tiny"),
    ("rl", "export", "rl/export"),
    ("sft", "train", "sft/tiny"),
    ("serve", "llm", "serve/llm"),
]
"""Commands of further verbs: group, verb, shipped recipe."""

HEAVY = {"torch", "transformers", "sentence_transformers", "tokenizers", "datasets", "numpy", "pandas", "pyarrow"}
HEAVY |= {"faiss", "numba", "scipy", "ray", "verl", "vllm", "trl", "peft", "fastapi", "uvicorn", "matplotlib"}
HEAVY |= {
    "ir_measures",
    "jieba",
    "rjieba",
    "swanlab",
    "wandb",
    "aiohttp",
    "huggingface_hub",
    "modelscope",
    "datasketch",
    "modelscope_hub",
    "requests",
}
STARTERS = {"subprocess", "multiprocessing", "pty", "popen2"}


def imports(path):
    """Dotted names that a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name(path):
    """`core/retrieval/bm25.py`."""
    return path.relative_to(ROOT).as_posix()


def part(path):
    """`retrieval` for core/retrieval/bm25.py, `errors` for core/errors.py."""
    return path.relative_to(ROOT / "core").parts[0].removesuffix(".py")


def level(name):
    return 0 if name in GROUND else 1 if name in TOOLS else 2


def test_the_guards_see_the_whole_tree():
    parts = {part(path) for path in FILES if path.is_relative_to(ROOT / "core")} - {"__init__"}
    assert parts == GROUND | TOOLS | STAGES
    assert len(FILES) > 60


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    if not path.is_relative_to(ROOT / "core"):
        return
    me = part(path)
    for imported in imports(path):
        root, *rest = imported.split(".")
        assert root != "cli", f"core imports {imported}"
        if root == "core" and rest and rest[0] != me:
            assert level(rest[0]) <= level(me), f"{imported} lives above {me}"
            assert not {me, rest[0]} <= STAGES, f"stage {me} imports stage {rest[0]}: they meet on disk"


def test_one_file_starts_programs():
    starters = {
        path.relative_to(ROOT).as_posix() for path in FILES if {n.split(".")[0] for n in imports(path)} & STARTERS
    }
    assert starters == {"core/process.py"}
    ways = ("system", "popen", "fork", "posix_spawn", "spawn", "exec", "startfile")
    called = {
        f"{name(path)}: {node.attr}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and (
            node.attr.startswith("create_subprocess")
            or (ast.unparse(node.value) == "os" and node.attr.startswith(ways))
        )
    }
    assert called == set()


def test_modules_are_imported_by_name_in_two_places_only():
    # A computed import would pass unseen by the other laws.
    found = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if any("importlib.import_module" in n for n in imports(path))
    }
    assert found == {"core/lazy.py", "cli/stages.py"}
    assert not [path for path in FILES if "__import__" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("file", ["core/measure.py", "core/retry.py", "core/text/normal.py", "core/text/answer.py"])
def test_what_rewards_run_elsewhere_is_standard_library_only(file):
    assert {imported.split(".")[0] for imported in imports(ROOT / file)} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["data", "--help"],
        ["recipe", "ls"],
        *([stage, f"recipes/{stage}/tiny.yaml", "--dry-run"] for stage in sorted(STAGES - {"sft", "rl"})),
        *([group, verb, f"recipes/{recipe}.yaml", "--dry-run"] for group, verb, recipe in FURTHER),
        ["run", "recipes/quickstart.yaml", "--dry-run"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_the_command_line_stays_light(argv):
    code = (
        f"import sys; sys.argv = ['dr', *{argv}]\nimport cli.main\n"
        "try:\n    cli.main.main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('heavy:', sorted({HEAVY} & {{name.split('.')[0] for name in sys.modules}}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "heavy: []"


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.name in {"recipe.py", "spec.py"}], ids=lambda p: str(p.relative_to(ROOT))
)
def test_every_recipe_field_has_a_line_of_meaning(path):
    missing = []
    for owner in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(owner, ast.ClassDef) or any(getattr(base, "id", "") == "Protocol" for base in owner.bases):
            continue
        for field, after in zip(owner.body, [*owner.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and field.target.id not in {"type", "stage", "model_config"}:
                documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                missing += [] if documented else [f"{owner.name}.{field.target.id}"]
    assert not missing


def test_no_broad_except():
    broad = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                names = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {"bare"}
                if names & {"Exception", "BaseException", "bare"}:
                    broad.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert broad == []
