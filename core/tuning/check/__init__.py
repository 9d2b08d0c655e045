"""What can be known of a training before it starts: parts that the checks of `dr sft train` and `dr rl train` share.

apart       a check in a process of its own: the command line stays light
machine     the device, the model's size, the disk
sample      rows that stand for all of them
"""
