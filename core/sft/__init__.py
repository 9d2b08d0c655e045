"""Conversations -> a language model that answers like them. `dr sft train`.

model/          the trained model, a Hugging Face directory (adapters merged), with the digest of its prompts
adapter/        the adapters, where there are any
checkpoints/    what a resume needs, the newest few and the best
rows/           the rows as they were trained on
logs/           metrics.jsonl, plots, the trainer's output
"""
