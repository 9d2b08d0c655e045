"""The search that a model may call. Guest code, as `core.reward`: standard library and the reward's retriever only."""
