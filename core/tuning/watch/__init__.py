"""Whether a training goes wrong, told from the numbers that it logs, and what to try then. Imports nothing heavy.

What a training by rewards may trip over besides is in `core.rl.watch`.
"""
