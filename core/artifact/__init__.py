"""Artifacts: directories that are whole or absent.

    <out>/             finished; holds manifest.json
    <out>.partial/     being made, or left by a run that stopped; the same recipe goes on with it
    <out>.previous/    what `--force` replaced (then .previous-2, -3, ...: nothing is deleted)

A stage fills `.partial`. At the end every file is flushed to the disk, the manifest is written last and the
directory renamed, so `<out>` existing means that `<out>` is complete. The manifest holds the recipe, the digest of
every file, of every input artifact and of every source file: a result carries its whole ancestry.
"""

from core.artifact.ancestry import check_inputs
from core.artifact.files import CLAIM, LOGS, MANIFEST, write_json
from core.artifact.making import Work, make, prospect
from core.artifact.manifest import read, verify

__all__ = ["CLAIM", "LOGS", "MANIFEST", "Work", "check_inputs", "make", "prospect", "read", "verify", "write_json"]
