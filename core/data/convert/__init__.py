"""From one format of training data, or of a collection, to another.

In: a file or folder in one of the formats of `names.py`.
Out: a file or folder in another, whole or absent, and a count of what the target could not carry.

Three kinds of data flow: examples, graded pairs and collections (`kinds.py`). A format reads as one kind and is written
from one; `bridges.py` makes the one of the other. A new format is a line in `names.py` and one in `table.py`.
"""
