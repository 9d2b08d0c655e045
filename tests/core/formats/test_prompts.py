"""Prompt templates on disk."""

from core.formats import prompts
from core.formats.messages import Message


def test_a_head_says_something_of_the_template_and_nothing_to_the_model(tmp_path):
    (tmp_path / "user.txt").write_text("---\nlanguage: zh\n---\nAsk $query\n---\nmore")
    found = prompts.read(tmp_path, needed=("query",))
    assert found.head == "language: zh"
    assert found.fill(query="$x") == (Message("user", "Ask $x\n---\nmore"),)


def test_a_head_is_no_part_of_the_digest_that_a_model_is_trained_under(tmp_path):
    (tmp_path / "a.txt").write_text("---\nlanguage: zh\n---\nAsk $query")
    (tmp_path / "b.txt").write_text("Ask $query")
    one, other = (prompts.read(tmp_path / name, needed=("query",)) for name in ("a.txt", "b.txt"))
    assert one.digest == other.digest


def test_a_template_is_written_as_it_is_read_its_head_too(tmp_path):
    (tmp_path / "system.txt").write_text("Be brief.")
    (tmp_path / "user.txt").write_text("---\nlanguage: zh\n---\nAsk $query")
    found = prompts.read(tmp_path, needed=("query",))
    found.write(tmp_path / "again")
    assert prompts.read(tmp_path / "again", needed=("query",)) == found
