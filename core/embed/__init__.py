"""`dr embed train`: rows -> an embedding model trained on them, and the proof that it helped.

In: an artifact of `data` or `distill mine`, or files of the user's own; a model, or nothing. Out: `model/` (the best
checkpoint, a complete sentence-transformers folder), `checkpoints/`, `held_out.jsonl` (what the proof asks),
`report.json` (before and after, against BM25), `logs/` (losses and scores, as rows and as pictures).

`train` is the verb. `rows` are what it reads, `models` what is trained, `losses` what is made smaller, `fit` one
training in one process or several, `proof` the measurement at its end; `sweep` measures all checkpoints anew. `merge`
and `encode` are stages of their own: an adapter into its base, and texts into vectors.

The same seed gives the same model on one machine with one number of threads, however often the training was killed;
sums in another order round differently.
"""
