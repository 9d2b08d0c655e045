"""What a model earns before any training: several answers to each query, scored by the true reward. `dr rl probe`.

rollouts.jsonl     {"group", "sample", "query", "response", "ground_truth", "data_source", "extra_info", "rewritten",
                   "score", "parts"}, in the order of the queries: what `dr reward replay` reads
originals.jsonl    the same for the original queries, in the form that the reward asks for
report.json        what `dr rl probe` prints
logs/answers.jsonl every answer of the language model; a run that was stopped asks nothing twice
logs/search.log    of the search service, where the probe starts one
"""
