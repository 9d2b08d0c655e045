"""Artifact of `data` -> queries for its documents, in BEIR form, with how each came about; and hard negatives."""
