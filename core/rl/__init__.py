"""Rows, a model, a reward and a search -> a language model that earns more. `dr rl train`.

train       the conductor: rows, checks, the search service, a trainer, the model
trl/ verl/  the two trainers
watch/      what a training trips over, and what to try then
tool/       the search that a model may call
check/      what is looked at before anything is paid for
probe/      what a training could learn; `dr rl probe`
export/     a Hugging Face directory of a checkpoint; `dr rl export`

model/          the trained model, adapters merged, with the digest of its prompts
adapter/        the adapters, where there are any
checkpoints/    what a resume needs, the newest few and the best
rows/           the rows as they were asked
logs/           metrics.jsonl, plots, rollouts.jsonl, the trainer's and the search service's output
"""
