"""What a repository holds, and which of its files are chosen."""

import json
import subprocess

import pytest

from core.errors import DataError, UsageError
from core.hub import checksum
from core.hub.address import without_secrets
from core.hub.listing import Listing, RemoteFile, Repository, choose, listing

NOTES = Repository("huggingface", "acme/notes", "dataset")


def of(*paths):
    return listing(NOTES, None, [RemoteFile(path) for path in paths])


def paths(found):
    return [file.path for file in found.files]


def test_files_stand_in_the_order_of_their_paths_and_survive_json():
    found = listing(NOTES, "c" * 40, [RemoteFile("b", 2, sha256="s"), RemoteFile("a", 1, git_sha1="g")])
    assert paths(found) == ["a", "b"]
    assert Listing.from_dict(json.loads(json.dumps(found.as_dict()))) == found


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", "a\\..\\b", ""])
def test_a_path_out_of_the_folder_is_refused(path):
    with pytest.raises(DataError, match="outside itself"):
        of("fine", path)


def test_patterns_choose():
    found = of("corpus.jsonl", "data/train.parquet", "data/deep/test.parquet", "README.md")
    assert paths(choose(found, [], [])) == paths(found)
    assert paths(choose(found, ["*.parquet"], [])) == ["data/deep/test.parquet", "data/train.parquet"]
    assert paths(choose(found, ["data/"], ["*/deep/*"])) == ["data/train.parquet"]
    assert paths(choose(found, [], ["*.md", "data/"])) == ["corpus.jsonl"]
    with pytest.raises(UsageError, match=r"holds README\.md, corpus\.jsonl, data/deep/test\.parquet"):
        choose(found, ["*.bin"], [])


def test_a_checksum_tells_what_is_wrong(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"hello\n")
    sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"  # printf 'hello\n' | sha256sum
    assert checksum.fault(path, RemoteFile("file", 6, sha256=sha256)) is None
    assert checksum.fault(path, RemoteFile("file", 7)) == "it has 6 bytes, 7 were announced"
    assert (
        checksum.fault(path, RemoteFile("file", 6, sha256="0" * 64))
        == "its sha256 begins 5891b5b522d5, not 000000000000"
    )
    assert "git blob id" in checksum.fault(path, RemoteFile("file", 6, git_sha1="0" * 40))
    assert checksum.fault(path, RemoteFile("file")) is None
    with pytest.raises(DataError, match="`file` did not arrive whole"):
        checksum.check(path, RemoteFile("file", 7), "here")
    assert not path.exists()


def test_the_git_blob_id_is_the_one_that_git_computes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 5000)
    git = subprocess.run(["git", "hash-object", "--no-filters", str(path)], capture_output=True, text=True, check=True)
    assert checksum.git_sha1(path) == git.stdout.strip()


def test_an_address_is_shown_without_its_secrets():
    assert without_secrets("https://me:hf_secret@mirror.example:8443/x?token=t") == "https://mirror.example:8443/x"
