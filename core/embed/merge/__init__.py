"""`dr embed merge`: an adapter goes into its base -> one complete model.

In: an artifact of `embed` whose model is an adapter. Out: `model/` (a complete sentence-transformers folder with its
card and contract), `merge.json` (how near its vectors are to the adapter's, and to the base's).

`probe` says on which texts that is measured, `check` refuses a merge that changed nothing or something else, `card`
writes the model card.
"""
