"""Judged queries and a search index -> training examples with hard and easy negatives. `dr distill mine`.

train.jsonl   one example a query, see `core.formats.examples`
report.json   what each rule removed, what fell short, where the chosen ones ranked
"""
