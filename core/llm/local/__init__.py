"""A small server of chat completions (OpenAI's protocol) over transformers, in our own interpreter: `engine: local`.

It serves trained checkpoints where there is no vLLM: requests that wait are answered together, a batch after the
other, each with its own sampling. `python -m core.llm.local --model FOLDER`; `core.llm.launch` says with what.

loading    the model and its tokenizer, or a sentence on what is wrong with them
sampling   the next token of each row of a batch, by its own wishes
ends       which rows have ended, and why
generate   prompts -> answers, one batch
batches    requests wait, bounded, and are answered in batches
protocol   bodies of requests and answers
app        routes, and the end by SIGTERM
"""
