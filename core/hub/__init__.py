"""Repositories of data sets and models: what there is, which files one holds, and how a file is fetched and checked.

`registry` knows by name the sets and models that people use with `dr`; it needs no network. A `door.Door` is the way
to one place: the Hugging Face hub, ModelScope (both through their own libraries), or a folder copied from a machine
that could reach them. `checksum` compares what lies here with what the door said it would be.
"""
