"""`dr embed encode`: texts -> vectors, as the model's own contract says.

In: a model, and a corpus or a file of texts. Out: `vectors.npy` ([N, H] float32, unit length, in the order of the
input), `ids.txt` (one a line, in the same order), `contract.json` (what decided them).

`texts` reads, `shards` keeps what is done while the work goes on, so that a killed run loses one shard at most.
"""
