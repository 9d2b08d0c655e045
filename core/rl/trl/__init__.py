"""GRPO by TRL, in a process of its own: `launch` starts it, `worker` is it.

`reward` is what TRL calls for every batch, `searcher` the tool, `trainer` TRL's with greedy measuring.
"""
