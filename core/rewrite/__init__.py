"""Queries (of a corpus, or a file) become better words for a retriever, by a language model. `dr rewrite`.

rewrites.jsonl     {"query_id", "query", "rewritten", "fallback", "sample"}, in the order of the queries; `fallback`
                   says why the query stands as it was, null: it is rewritten
prompts/           the template, without which the model cannot be asked the same again
logs/answers.jsonl every answer of the language model
"""
