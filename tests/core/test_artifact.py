import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Annotated, ClassVar

import pytest

from core import artifact
from core.errors import ArtifactError, ContractError, DrError
from core.recipe import ArtifactRecipe, From, Neutral, SourceFiles

ROOT = Path(__file__).parents[2]


class Resuming(ArtifactRecipe):
    resumes: ClassVar[bool] = True


class Recipe(Resuming):
    source: Annotated[Path | None, SourceFiles()] = None
    before: Annotated[Path | None, From("test")] = None
    port: Annotated[int, Neutral()] = 1


def recipe(folder, name="out", **fields):
    return Recipe(stage="test", out=folder / name, **fields)


def writes(text="a", name="a.txt"):
    def build(recipe, work):
        (work.path / name).write_text(text)

    return build


def breaks(recipe, work):
    (work.path / "half.txt").write_text("half")
    raise KeyError("a bug")


def child(code, **more):
    """A process of Python that has our package and runs `code`."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], env=env, **more)


def a_run_that_hangs(out, seed=0):
    """A process that has written its first file and does not end."""
    running = child(f"""
        import time
        from pathlib import Path
        from core import artifact
        from core.recipe import ArtifactRecipe
        class Recipe(ArtifactRecipe):
            resumes = True
        def build(recipe, work):
            (work.path / "half.txt").write_text("half")
            (work.path / "begun.txt").write_text("now")
            time.sleep(60)
        artifact.make(Recipe(stage="test", out=Path({str(out)!r}), seed={seed}), build)
    """)
    deadline = time.monotonic() + 30
    while not out.with_name(f"{out.name}.partial").joinpath("begun.txt").exists():
        assert running.poll() is None, "the child ended early"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return running


def killed(running):
    running.send_signal(signal.SIGKILL)
    running.wait()


# whole or absent


def test_a_failure_leaves_no_output_and_keeps_what_was_made(tmp_path):
    with pytest.raises(KeyError):
        artifact.make(recipe(tmp_path), breaks)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.partial" / "half.txt").read_text() == "half"


def test_a_failure_before_the_first_file_leaves_nothing(tmp_path):
    def fail(recipe, work):
        raise KeyError

    with pytest.raises(KeyError):
        artifact.make(recipe(tmp_path), fail)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_leaves_no_output(tmp_path):
    killed(a_run_that_hangs(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.partial" / "half.txt").exists()


def test_a_second_run_is_refused_while_the_first_runs(tmp_path):
    running = a_run_that_hangs(tmp_path / "out")
    try:
        with pytest.raises(ArtifactError, match="another run is making this now"):
            artifact.make(Resuming(stage="test", out=tmp_path / "out"), writes())
    finally:
        killed(running)


def test_the_same_recipe_goes_on_where_a_killed_run_stopped(tmp_path):
    killed(a_run_that_hangs(tmp_path / "out"))
    seen = []

    def build(recipe, work):
        seen.extend(sorted(path.name for path in work.path.iterdir()))

    assert artifact.make(Resuming(stage="test", out=tmp_path / "out"), build)
    assert seen == ["begun.txt", "half.txt", "recipe.json"]
    assert (tmp_path / "out" / "half.txt").read_text() == "half"
    assert not (tmp_path / "out.partial").exists()


def test_another_recipe_does_not_go_on_with_a_killed_run(tmp_path):
    killed(a_run_that_hangs(tmp_path / "out", seed=1))
    with pytest.raises(ArtifactError, match=r"unfinished run of another recipe.*seed: 1 → 0"):
        artifact.make(Resuming(stage="test", out=tmp_path / "out"), writes())
    assert (tmp_path / "out.partial" / "half.txt").exists()


def test_force_starts_over_and_keeps_the_other_unfinished_run(tmp_path):
    killed(a_run_that_hangs(tmp_path / "out", seed=1))
    artifact.make(Resuming(stage="test", out=tmp_path / "out"), writes(), force=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.txt", "manifest.json"]
    assert (tmp_path / "out.partial.previous" / "half.txt").read_text() == "half"


def test_a_run_killed_between_manifest_and_rename_is_finished_by_the_next(tmp_path):
    artifact.make(recipe(tmp_path), writes())
    (tmp_path / "out").rename(tmp_path / "out.partial")  # as after a kill in that moment: manifest, no claim
    assert artifact.make(recipe(tmp_path), writes())
    assert artifact.verify(tmp_path / "out")["files"].keys() == {"a.txt"}


def test_a_run_of_another_recipe_killed_before_the_rename_is_not_taken_over(tmp_path):
    artifact.make(recipe(tmp_path, seed=1), writes())
    (tmp_path / "out").rename(tmp_path / "out.partial")
    with pytest.raises(ArtifactError, match="unfinished run of another recipe"):
        artifact.make(recipe(tmp_path), writes())


def test_a_claim_torn_by_a_power_cut_is_a_sentence(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "recipe.json").write_text("")
    with pytest.raises(ArtifactError, match="damaged"):
        artifact.make(recipe(tmp_path), writes())


def test_a_lock_held_by_nobody_alive_does_not_stop_a_run(tmp_path):
    (tmp_path / "out.partial").mkdir()
    locker = child(f"""
        import fcntl, os
        fcntl.flock(os.open({str(tmp_path / "out.partial")!r}, os.O_RDONLY), fcntl.LOCK_EX)
        os.kill(os.getpid(), 9)
    """)
    assert locker.wait() == -9
    assert artifact.make(recipe(tmp_path), writes())


def test_a_lock_held_by_another_program_stops_a_run(tmp_path):
    (tmp_path / "out.partial").mkdir()
    handle = os.open(tmp_path / "out.partial", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(ArtifactError, match="another run"):
            artifact.make(recipe(tmp_path), writes())
    finally:
        os.close(handle)


# up to date, refused, forced


def test_the_same_recipe_twice_is_up_to_date(tmp_path):
    assert artifact.make(recipe(tmp_path), writes())
    assert not artifact.make(recipe(tmp_path), breaks)


def test_another_recipe_is_refused_with_the_difference(tmp_path):
    artifact.make(recipe(tmp_path), writes())
    with pytest.raises(ArtifactError, match=r"made by another recipe \(seed: 0 → 1\)"):
        artifact.make(recipe(tmp_path, seed=1), writes("b"))
    assert (tmp_path / "out" / "a.txt").read_text() == "a"


def test_a_neutral_field_needs_no_new_output(tmp_path):
    artifact.make(recipe(tmp_path), writes())
    assert not artifact.make(recipe(tmp_path, port=2), writes())


def test_force_keeps_each_old_output_under_a_name_of_its_own(tmp_path):
    for text in ("first", "second", "third"):
        assert artifact.make(recipe(tmp_path), writes(text), force=True)
    found = [(tmp_path / name / "a.txt").read_text() for name in ("out.previous", "out.previous-2", "out")]
    assert found == ["first", "second", "third"]


def test_a_forced_run_that_fails_leaves_the_old_output_in_place(tmp_path):
    artifact.make(recipe(tmp_path), writes("old"))
    with pytest.raises(KeyError):
        artifact.make(recipe(tmp_path, seed=1), breaks, force=True)
    assert artifact.verify(tmp_path / "out")["recipe"]["seed"] == 0
    assert (tmp_path / "out" / "a.txt").read_text() == "old"
    assert not (tmp_path / "out.previous").exists()


@pytest.mark.parametrize("there", ["file", "folder"])
def test_what_was_not_made_by_us_is_not_touched(tmp_path, there):
    if there == "file":
        (tmp_path / "out").write_text("mine")
    else:
        (tmp_path / "out").mkdir()
    with pytest.raises(ArtifactError, match="not made by `dr`"):
        artifact.make(recipe(tmp_path), writes())


# ancestry


def test_an_input_made_anew_makes_the_output_outdated(tmp_path):
    artifact.make(recipe(tmp_path, "one"), writes("a"))
    two = recipe(tmp_path, "two", before=tmp_path / "one")
    artifact.make(two, writes())
    artifact.make(recipe(tmp_path, "one"), writes("b"), force=True)
    with pytest.raises(ArtifactError, match="before: has other content"):
        artifact.make(two, writes())


def test_an_input_made_anew_with_equal_content_does_not(tmp_path):
    artifact.make(recipe(tmp_path, "one"), writes("a"))
    two = recipe(tmp_path, "two", before=tmp_path / "one")
    artifact.make(two, writes())
    artifact.make(recipe(tmp_path, "one"), writes("a"), force=True)
    assert not artifact.make(two, writes())


def test_logs_do_not_change_the_digest(tmp_path):
    def logs(text):
        def build(recipe, work):
            (work.path / "a.txt").write_text("a")
            (work.logs / "run.log").write_text(text)

        return build

    artifact.make(recipe(tmp_path), logs("Monday"))
    first = artifact.read(tmp_path / "out")
    artifact.make(recipe(tmp_path), logs("Tuesday"), force=True)
    second = artifact.read(tmp_path / "out")
    assert first["digest"] == second["digest"]
    assert first["files"]["logs/run.log"] != second["files"]["logs/run.log"]


def test_a_changed_source_file_makes_the_output_outdated(tmp_path):
    (tmp_path / "in.txt").write_text("one")
    made = recipe(tmp_path, source=tmp_path / "in.txt")
    artifact.make(made, writes())
    (tmp_path / "in.txt").write_text("other")
    with pytest.raises(ArtifactError, match="source: has other content"):
        artifact.make(made, writes())


def test_a_touched_source_file_of_equal_content_does_not(tmp_path):
    (tmp_path / "in.txt").write_text("one")
    made = recipe(tmp_path, source=tmp_path / "in.txt")
    artifact.make(made, writes())
    os.utime(tmp_path / "in.txt", ns=(1, 1))
    assert not artifact.make(made, writes())


@pytest.mark.parametrize("change", [lambda path: path.write_text("longer"), Path.unlink], ids=["changed", "removed"])
def test_a_source_file_that_changes_during_the_run_spoils_it(tmp_path, change):
    (tmp_path / "in.txt").write_text("one")

    def build(recipe, work):
        (work.path / "a.txt").write_text("a")
        change(recipe.source)

    with pytest.raises(ArtifactError, match="`source` changed while it was read"):
        artifact.make(recipe(tmp_path, source=tmp_path / "in.txt"), build)
    assert not (tmp_path / "out").exists()


def test_an_absent_source_file_is_a_sentence(tmp_path):
    with pytest.raises(ArtifactError, match="`source` cannot be read: No such file"):
        artifact.make(recipe(tmp_path, source=tmp_path / "none"), writes())


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.with_name("one.partial").mkdir(), "is not finished"),
        (lambda path: path.mkdir(), "it has no manifest.json"),
        (lambda path: path.write_text(""), "it has no manifest.json"),
    ],
    ids=["absent", "unfinished", "folder", "file"],
)
def test_an_input_that_is_no_artifact_is_a_sentence(tmp_path, prepare, says):
    prepare(tmp_path / "one")
    with pytest.raises(ArtifactError, match=says):
        artifact.make(recipe(tmp_path, before=tmp_path / "one"), writes())


def test_an_input_of_another_stage_is_refused(tmp_path):
    artifact.make(recipe(tmp_path), writes())
    with pytest.raises(ArtifactError, match="`data` or `index` is needed, this is one of `test`"):
        artifact.read(tmp_path / "out", ("data", "index"))


# the manifest


def test_the_digests_are_those_of_sha256sum(tmp_path):
    def build(recipe, work):
        (work.path / "deep").mkdir()
        (work.path / "deep" / "b.bin").write_bytes(bytes(range(256)) * 5000)
        (work.path / "中文.txt").write_text("净值")

    artifact.make(recipe(tmp_path), build)
    files = artifact.read(tmp_path / "out")["files"]
    said = subprocess.run(["sha256sum", *files], cwd=tmp_path / "out", capture_output=True, text=True, check=True)
    assert {line.split()[0] for line in said.stdout.splitlines()} == {facts["sha256"] for facts in files.values()}
    assert files["deep/b.bin"]["bytes"] == 256 * 5000
    assert set(files) == {"deep/b.bin", "中文.txt"}


def test_the_artifacts_digest_is_that_of_its_files_digests(tmp_path):
    artifact.make(recipe(tmp_path), writes("a"))
    of_a = hashlib.sha256(b"a").hexdigest()
    whole = hashlib.sha256(json.dumps({"a.txt": of_a}).encode()).hexdigest()
    assert artifact.read(tmp_path / "out")["digest"] == whole


def test_the_manifest_tells_recipe_stats_and_versions(tmp_path):
    def build(recipe, work):
        work.stats["documents"] = 3

    artifact.make(recipe(tmp_path, seed=7), build)
    manifest = artifact.read(tmp_path / "out")
    assert (manifest["stage"], manifest["recipe"]["seed"], manifest["stats"]) == ("test", 7, {"documents": 3})
    assert manifest["versions"]["python"].startswith("3.")


@pytest.mark.parametrize("text", ["", '{"stage": "te', "[]", "3", "\x00"])
def test_a_damaged_manifest_is_a_sentence(tmp_path, text):
    artifact.make(recipe(tmp_path), writes())
    (tmp_path / "out" / "manifest.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"damaged|not one of `dr`"):
        artifact.read(tmp_path / "out")
    with pytest.raises(ArtifactError, match=r"damaged|not one of `dr`"):
        artifact.make(recipe(tmp_path), writes())


def test_a_manifest_of_another_program_is_a_sentence(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text('{"name": "a web page"}')
    with pytest.raises(ArtifactError, match="not one of `dr`"):
        artifact.make(recipe(tmp_path), writes())


def test_a_lost_or_shortened_file_is_noticed_when_an_artifact_is_read(tmp_path):
    artifact.make(recipe(tmp_path), writes("abc"))
    (tmp_path / "out" / "a.txt").write_text("ab")
    with pytest.raises(ArtifactError, match=r"`a.txt` is not as the manifest says \(3 bytes\)"):
        artifact.read(tmp_path / "out")
    (tmp_path / "out" / "a.txt").unlink()
    with pytest.raises(ArtifactError, match=r"`a.txt` is not as the manifest says"):
        artifact.read(tmp_path / "out")


def test_a_change_of_equal_length_is_noticed_by_verify(tmp_path):
    artifact.make(recipe(tmp_path), writes("abc"))
    (tmp_path / "out" / "a.txt").write_text("abd")
    artifact.read(tmp_path / "out")
    with pytest.raises(ContractError, match="changed after it was made") as caught:
        artifact.verify(tmp_path / "out")
    assert caught.value.exit_code == 4


# places that cannot be written


def test_a_full_disk_is_a_sentence_and_the_same_command_finishes_after_room_is_made(small_disk):
    (small_disk / "ballast").write_bytes(bytes(700_000))
    attempts = []

    def build(recipe, work):
        attempts.append(sorted(path.name for path in work.path.iterdir()))
        (work.path / "first.bin").write_bytes(bytes(100_000))
        (work.path / "second.bin").write_bytes(bytes(600_000))

    with pytest.raises(DrError, match="the disk is full") as caught:
        artifact.make(recipe(small_disk), build)
    assert caught.value.exit_code == 1
    assert not (small_disk / "out").exists()
    (small_disk / "ballast").unlink()
    assert artifact.make(recipe(small_disk), build)
    assert attempts[1] == ["first.bin", "recipe.json", "second.bin"]  # the second as far as it went
    assert artifact.verify(small_disk / "out")["files"]["second.bin"]["bytes"] == 600_000


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_folder_without_a_name_of_its_own_is_no_artifact(tmp_path, name):
    command = [sys.executable, "-m", "cli.main", "index", "search", name, "x"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, "this is not an artifact" in done.stderr) == (2, True), done.stderr


def test_a_disk_full_from_the_start_is_the_same_sentence(small_disk):
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(bytes(2_000_000))
    with pytest.raises(DrError, match="the disk is full"):
        artifact.make(recipe(small_disk), writes())
    (small_disk / "ballast").unlink()
    assert artifact.make(recipe(small_disk), writes())


def test_an_output_under_a_file_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot write the output"):
        artifact.make(recipe(tmp_path / "file"), writes())


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc: the one folder root cannot write to")
def test_an_output_where_nobody_may_write_is_a_sentence():
    with pytest.raises(ArtifactError, match="cannot write the output") as caught:
        artifact.make(recipe(Path("/proc")), writes())
    assert "/proc/out" in caught.value.render()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not enter the folder")
def test_an_output_in_a_folder_one_may_not_enter_is_a_sentence(tmp_path):
    tmp_path.chmod(0o700)
    asked = child(
        f"""
        import os
        from pathlib import Path
        from core import artifact
        from core.errors import ArtifactError
        from core.recipe import ArtifactRecipe
        os.setuid(65534)
        try:
            artifact.make(ArtifactRecipe(stage="test", out=Path({str(tmp_path / "out")!r})), lambda recipe, work: None)
        except ArtifactError as error:
            print(error.what)
        """,
        stdout=subprocess.PIPE,
    )
    assert asked.communicate()[0].decode().strip() == "cannot write the output: Permission denied"


def test_a_bug_that_reads_a_file_beside_the_output_keeps_its_own_error(tmp_path):
    def build(recipe, work):
        (tmp_path / "neighbour.txt").read_text()

    with pytest.raises(FileNotFoundError):
        artifact.make(recipe(tmp_path), build)


class OneGo(Recipe):
    resumes: ClassVar[bool] = False


def test_a_stage_that_cannot_resume_starts_from_nothing_whatever_lies_there(tmp_path):
    def build(recipe, work):
        (work.logs / "loss.jsonl").write_text("{}")
        breaks(recipe, work)

    with pytest.raises(KeyError):
        artifact.make(OneGo(stage="test", out=tmp_path / "out", seed=1), build)
    (tmp_path / "out.partial/half.txt").write_text("as a killed run leaves it")
    artifact.make(OneGo(stage="test", out=tmp_path / "out", seed=2), writes())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.txt", "manifest.json"]


def test_a_stage_that_cannot_resume_leaves_its_logs_when_it_fails(tmp_path):
    def build(recipe, work):
        (work.logs / "loss.jsonl").write_text("{}")
        breaks(recipe, work)

    with pytest.raises(KeyError):
        artifact.make(OneGo(stage="test", out=tmp_path / "out"), build)
    assert sorted(path.name for path in (tmp_path / "out.partial").iterdir()) == ["logs", "recipe.json"]
    with pytest.raises(KeyError):
        artifact.make(OneGo(stage="test", out=tmp_path / "second"), breaks)
    assert not list(tmp_path.glob("second*"))


def test_files_of_the_users_in_the_unfinished_place_are_not_touched(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial/thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="files that `dr` did not make"):
        artifact.make(OneGo(stage="test", out=tmp_path / "out"), writes())
    assert (tmp_path / "out.partial/thesis.txt").read_text() == "mine"


def test_a_stage_that_cannot_resume_does_not_clear_the_work_of_one_that_can(tmp_path):
    with pytest.raises(KeyError):
        artifact.make(recipe(tmp_path, seed=1), breaks)
    with pytest.raises(ArtifactError, match="an unfinished run of another recipe is here"):
        artifact.make(OneGo(stage="test", out=tmp_path / "out", seed=2), writes())
    assert (tmp_path / "out.partial/half.txt").exists()


@pytest.mark.parametrize("force", [True, False])
def test_an_output_never_replaces_what_dr_did_not_make_or_what_it_is_made_from(tmp_path, force):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/source.txt").write_text("text")
    with pytest.raises(ArtifactError, match="this was not made by `dr`"):
        artifact.make(recipe(tmp_path, "mine"), writes(), force=force)
    with pytest.raises(ArtifactError, match="would replace its own `source`"):
        artifact.make(recipe(tmp_path, "mine", source=tmp_path / "mine/source.txt"), writes(), force=force)
    artifact.make(recipe(tmp_path), writes())
    with pytest.raises(ArtifactError, match="inside a finished artifact"):
        artifact.make(recipe(tmp_path, "out/deeper"), writes(), force=force)
    assert (tmp_path / "mine/source.txt").read_text() == "text"


def test_an_input_that_is_made_anew_during_the_run_spoils_it(tmp_path):
    before = recipe(tmp_path, "before")
    artifact.make(before, writes("one"))

    def build(recipe, work):
        artifact.make(before, writes("two"), force=True)
        (work.path / "a.txt").write_text("of one or of two")

    with pytest.raises(ArtifactError, match="`before` was made anew meanwhile"):
        artifact.make(recipe(tmp_path, before=tmp_path / "before"), build)
    assert not (tmp_path / "out").exists()


def test_a_writer_that_tells_of_a_full_disk_in_its_own_words_is_understood(small_disk):
    import numpy

    def build(recipe, work):
        numpy.save(work.path / "a.npy", numpy.zeros(1 << 20))  # raises an OSError without a number

    with pytest.raises(DrError, match="the disk is full"):
        artifact.make(OneGo(stage="test", out=small_disk / "out"), build)
