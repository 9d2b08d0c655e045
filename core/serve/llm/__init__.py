"""A language model answers over HTTP, by an engine of its own, until it is stopped; no artifact. `dr serve llm`."""
