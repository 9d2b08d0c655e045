"""Which model is trained: comes in what a recipe says of it, goes out a sentence-transformers model.

`build` is the door. A model carries its own contract (pooling, padding side, end-of-sequence token, prompts), so that
plain `SentenceTransformer(path)` gives the vectors that were trained.
"""
