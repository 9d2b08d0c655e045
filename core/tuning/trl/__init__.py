"""What supervised and reward training by TRL have in common: its arguments, its checkpoints, and who follows it.

arguments   recipe -> fields of SFTConfig and GRPOConfig
session     the place of a training in its process: device, threads, seed, tracker, memory that runs out
store       checkpoints on disk: whole or absent, the newest and the best are kept
follow      the callback that says when to log, measure and save, and in which words it is logged
"""
