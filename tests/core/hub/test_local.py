"""Folders copied from another machine."""

import hashlib

import pytest

from core.errors import DataError, UsageError
from core.hub.listing import RemoteFile, Repository
from core.hub.local import Folder

NOTES = Repository("huggingface", "acme/notes", "dataset")
DATA = b"some text\n"
SHA256, SHA1 = hashlib.sha256(DATA).hexdigest(), hashlib.sha1(b"blob %d\0" % len(DATA) + DATA).hexdigest()
COMMIT = "a" * 40


@pytest.fixture
def cache(tmp_path):
    """One repository in the layout of the hub's cache: a blob by its git id, a snapshot that links to it."""
    home = tmp_path / "datasets--acme--notes"
    for name in ("blobs", f"snapshots/{COMMIT}/in", "refs"):
        (home / name).mkdir(parents=True)
    (home / "blobs" / SHA1).write_bytes(DATA)
    (home / f"snapshots/{COMMIT}/in/a.txt").symlink_to(f"../../../blobs/{SHA1}")
    (home / "refs/main").write_text(COMMIT)
    return home


@pytest.mark.parametrize("above", [True, False])
def test_a_cache_gives_its_commit_and_the_checksums_in_its_names(cache, above):
    found = Folder(cache.parent if above else cache).listing(NOTES)
    assert found.commit == COMMIT
    assert found.files == (RemoteFile("in/a.txt", len(DATA), git_sha1=SHA1),)


def test_a_cache_whose_links_lost_their_content_is_refused(cache):
    (cache / "blobs" / SHA1).unlink()
    with pytest.raises(DataError, match=r"`in/a\.txt` is a link to content that was not copied"):
        Folder(cache).listing(NOTES)


def test_a_revision_that_is_not_in_the_cache_is_refused(cache):
    with pytest.raises(UsageError, match="not at revision `v2`") as failed:
        Folder(cache).listing(Repository("huggingface", "acme/notes", "dataset", "v2"))
    assert COMMIT in failed.value.hint


def test_a_plain_folder_is_taken_as_it_is(tmp_path):
    (tmp_path / "a.txt").write_bytes(DATA)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("x")
    found = Folder(tmp_path).listing(Repository("huggingface", "acme/notes", "dataset", "main"))
    assert found.files == (RemoteFile("a.txt", len(DATA)),)
    assert found.commit is None


def test_a_list_of_checksums_is_used(tmp_path):
    (tmp_path / "a.txt").write_bytes(DATA)
    (tmp_path / "SHA256SUMS").write_text(f"{SHA256}  ./a.txt\n")
    assert Folder(tmp_path).listing(NOTES).files == (RemoteFile("a.txt", len(DATA), sha256=SHA256),)
    (tmp_path / "SHA256SUMS").write_text(f"{SHA256}  a.txt\n{SHA256} *b.txt\n")
    with pytest.raises(DataError, match=r"`b\.txt` is in SHA256SUMS and not in the folder"):
        Folder(tmp_path).listing(NOTES)
    (tmp_path / "SHA256SUMS").write_text("what is this\n")
    with pytest.raises(DataError, match="no line of `sha256sum`") as failed:
        Folder(tmp_path).listing(NOTES)
    assert failed.value.where.endswith("SHA256SUMS:1")


def test_a_pointer_of_git_lfs_is_not_the_file(tmp_path):
    (tmp_path / "model.bin").write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA256}\nsize 10\n")
    with pytest.raises(DataError, match=r"`model\.bin` is a pointer of Git LFS"):
        Folder(tmp_path).listing(NOTES)


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match="there is no such folder"):
        Folder(tmp_path / "gone").listing(NOTES)
