import hashlib
import json
import os
import subprocess

import pytest

from core import digest


def test_a_files_digest_is_that_of_sha256sum(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(os.urandom(3_000_000))
    said = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout
    assert digest.of_file(path) == said.split()[0]


def test_a_texts_digest_is_that_of_its_utf8():
    assert digest.of_text("净值") == hashlib.sha256(b"\xe5\x87\x80\xe5\x80\xbc").hexdigest()


def test_the_digest_of_files_does_not_depend_on_their_order():
    assert digest.of_files({"a": "1", "b": "2"}) == digest.of_files({"b": "2", "a": "1"})
    assert digest.of_files({"a": "1", "b": "2"}) != digest.of_files({"a": "2", "b": "1"})


def test_a_folders_digest_does_not_depend_on_its_place(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "a.txt").write_text("a")
    of_a = hashlib.sha256(b"a").hexdigest()
    by_hand = hashlib.sha256(json.dumps({"deep/a.txt": of_a}).encode()).hexdigest()
    assert digest.of_tree(tmp_path / "one") == digest.of_tree(tmp_path / "two") == by_hand


def test_a_folders_digest_tells_a_renamed_file(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    before = digest.of_tree(tmp_path)
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    assert digest.of_tree(tmp_path) != before


def test_a_stamp_is_files_bytes_and_newest_time(tmp_path):
    (tmp_path / "a").write_text("123")
    (tmp_path / "b").write_text("45")
    os.utime(tmp_path / "a", ns=(0, 7_000))
    os.utime(tmp_path / "b", ns=(0, 5_000))
    assert digest.stamp(tmp_path) == [2, 5, 7_000]
    assert digest.stamp(tmp_path / "b") == [1, 2, 5_000]


def test_the_stamp_of_an_empty_folder_is_nothing(tmp_path):
    assert digest.stamp(tmp_path) == [0, 0, 0]


def test_there_is_no_stamp_of_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        digest.stamp(tmp_path / "none")
