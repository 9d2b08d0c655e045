"""From somebody's corpus to a checked BEIR folder.

In: files of the user in one of the layouts of `sources/spec.py`, or the shipped sample.
Out: an artifact that is a BEIR folder (see `core.formats.beir`), with duplicates.jsonl {id, first} when texts occur
twice, and rejected.jsonl {where, reason, what, row} when bad rows were set aside.

A new kind of source is one file in `sources/`, one class in `sources/spec.py` and one line in `source.py`.
"""
