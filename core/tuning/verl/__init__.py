"""verl by its command line: nothing here imports it, it runs in an interpreter of its own.

interpreter   what is installed there, asked before any work
arguments     keys and values as Hydra takes them
keys          keys that fine-tuning and reinforcement learning share, and the arithmetic of batches
session       one start: its folder, its environment, its Ray
validate      the whole configuration against the installed verl, before anything is paid
launch        a session from its start to its end, and why it failed
follow        what verl writes while it runs, read as it comes
saved         its checkpoints: which are whole, which is the best, which go
held_out      rows for its measurements, which take whole batches
merge         from its shards to a Hugging Face directory
conclude      from its best checkpoint to the model of an artifact
guest/        code that runs inside verl's processes
"""
