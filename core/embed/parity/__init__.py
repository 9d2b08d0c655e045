"""`dr embed parity`: are a model's vectors the same everywhere?

`check` compares our encoder with plain sentence-transformers and with a server of the same model (`server`: OpenAI's
`/v1/embeddings`, as vLLM, text-embeddings-inference and `dr serve` answer it).
"""
