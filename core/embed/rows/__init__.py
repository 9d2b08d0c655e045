"""What a model is trained on: rows of a query and its documents, whatever they were read from.

`read.read(recipe)` gives all of it, with what is held out from training and what the model is examined on. Whatever is
wrong with the data is told there, before the first step.
"""
