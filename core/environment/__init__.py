"""Interpreters for other people's programs, made from our pins: their pins and ours do not go together.

`known` lists them, `mark` says what lies in a folder, `plan` computes the commands, `create` runs them.
"""
