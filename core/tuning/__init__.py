"""What supervised fine-tuning and reinforcement learning of language models share: models, rows, trainers.

spec        how a recipe names a model, its rows, its trainer and its checkpoints
rows/       the rows of a run, mixed by weight, as both trainers read them
models/     the model of a run: pretrained or made from nothing, adapters, chat template, prompts' digest
trl/        a training by TRL: its arguments, its checkpoints, who follows it
verl/       a training by verl: its interpreter, its command line, its CPU plug-in (guest/), who follows it
check/      what is looked at before a training starts
watch/      what a training trips over, and what to try then
"""
