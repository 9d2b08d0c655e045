"""Conversations, questions that a program can check, judged queries or rewrites -> rows for fine-tuning and for RL.

sft/<split>.parquet   messages, or question and answer
rl/<split>.parquet    verl's columns
*/train_example.json  the first training row, to read by eye
prompts/              the templates that the prompts were made of; their digest is in the manifest
rejected.jsonl        bad rows, under `on_bad_row: reject`
"""
