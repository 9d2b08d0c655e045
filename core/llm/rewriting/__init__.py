"""A query in better words for a retriever, by a language model: the template, the question, the answer read.

`dr rewrite` and `POST /rewrite` ask through here, with the same template and the same reading of the answer.
"""
