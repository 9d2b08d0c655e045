"""That a training helped: base and trained model over the same documents, by the same judgements.

quick.py    nDCG in memory, while training goes on
graded.py   nDCG of graded pairs, which have no corpus
prove.py    the report at the end; words.py: what it says
gate.py     what a finished artifact is held against
"""
