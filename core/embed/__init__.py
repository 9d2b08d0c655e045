"""`dr embed train`: a corpus -> an embedding model trained on it.

In: an artifact of `data`. Out: `model/` (a complete sentence-transformers folder), `held_out.jsonl` (pairs kept back),
`report.json` (what it learnt, against BM25 alone), `logs/` (the loss).

`pairs` makes pairs of texts from documents alone, `held_out` keeps documents back, `static` is the model's first
state (`tokenizer` its pieces, `latent` their vectors), `contrastive` trains any model on pairs, `report` measures.
The same seed gives the same model on one machine with one number of threads; sums in another order round differently.
"""
