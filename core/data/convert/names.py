"""The formats by name. Nothing heavy: the command's help shows them."""

NAMES = {
    "examples": "ours: queries with positives and negatives, one JSON object a line",
    "beir": "a folder: corpus.jsonl, queries.jsonl, qrels/<split>.tsv",
    "processed": "a folder: corpus.jsonl, train.jsonl, dev.jsonl, test.jsonl with query_id, query, qrels",
    "csv": "a corpus as a table of text: id, title, text (tabs in a file named .tsv)",
    "parquet": "a corpus as Parquet: id, title, text",
    "trec": "judgements: query 0 document grade",
    "pyserini": "a corpus of Pyserini, FlashRAG or Search-R1: id, contents",
    "flashrag": "FlashRAG's questions: id, question, golden_answers, metadata",
    "sentence-transformers": "columns anchor, positive, negative or negative_1 to negative_n",
    "sentence-transformers-pairs": "columns sentence1, sentence2, score (or label)",
    "flagembedding": "training rows: query, pos, neg, pos_scores, neg_scores, prompt, type",
    "flagembedding-eval": "a folder: corpus.jsonl, <split>_queries.jsonl, <split>_qrels.jsonl",
    "tevatron": "a folder: <split>.jsonl with document ids, corpus.jsonl",
    "tevatron-corpus": "a corpus of Tevatron: docid, document_text",
    "ms-swift": "InfoNCE: messages, positive_messages, negative_messages",
    "ms-swift-pairs": "cosine or contrastive: messages, positive_messages, label",
    "triples": "query, document, rel, weight",
}
"""What each format is, in a few words."""
