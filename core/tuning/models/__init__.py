"""The language models that are trained: made new or loaded, their chat templates, and how they are saved whole.

start       recipe -> the folder of the model that a training begins with
new         a small Qwen3 and a tokenizer learned from the rows
chat        chat templates: ours, and whether another's is there
load        folder -> model, tokenizer and adapters for TRL
whole       checkpoint -> a Hugging Face directory without adapters
"""
