"""The stage `download`: from the name of a repository to its files, checked, with their commit on record.

Out comes `files/`, laid out as in the repository. Which place they came from does not change the artifact's digest:
the same commit by a hub, by a mirror or by a copied folder gives the same one.
"""
