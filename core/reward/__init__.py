"""What a trainer pays for: parts with weights, each a number between a response and what is known to be right.

Guest code: all but the modules below runs inside another program's interpreter (verl's, TRL's worker) and imports the
standard library, `core.measure`, `core.errors`, `core.text.normal` and `core.text.answer` only. A run hands it a plain
JSON file, made from a recipe by `plain`; `scorer` reads it and scores, `door` is what verl calls.

Ours alone: `spec` and `recipe` (pydantic), `plain`, `trials` (files of samples and rollouts), `decoding`.

An infrastructure failure is never a score: it raises (`faults`).
"""
