"""Fine-tuning by TRL: conversations become tokens, a process of its own trains on them.

tokens    conversation -> tokens, and which of them are learned
trainer   TRL's trainer, its loss on what is held out exact
worker    the process
launch    starts it, and follows it
"""
