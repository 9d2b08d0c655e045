"""The values of the sources stand in shipped recipes, as fields."""

from pathlib import Path

import pytest

from cli.recipes import _model
from core.recipe import load

ROOT = Path(__file__).parents[1]
TIERS = ((0.7, 5), (0.5, 4), (0.4, 3), (0.3, 1), (0.1, 0.5), (0.05, 0.1))
RANKS = ((5, 5), (20, 4), (50, 2), (100, 1), (1000, 0.5), (3000, 0.1))


def at(name, place):
    """The value of a field by its dotted name; parts of a reward by their type."""
    path = ROOT / "recipes" / f"{name}.yaml"
    value = load(path, _model(path)).model_dump()
    for key in place.split("."):
        if isinstance(value, (list, tuple)):
            value = value[int(key)] if key.isdecimal() else next(part for part in value if part["type"] == key)
        else:
            value = value[key]
    return value


@pytest.mark.parametrize(
    ("name", "values"),
    [
        # a rewriter served
        (
            "serve/rewriter",
            {"host": "0.0.0.0", "port": 8000, "gpu_memory_utilization": 0.9, "max_model_len": 2048,
             "tensor_parallel_size": 2},
        ),
        # fine-tuning, source B
        (
            "sft/finance",
            {"seed": 42, "model.lora.rank": 32, "model.lora.alpha": 64, "model.lora.target_modules": "all-linear",
             "max_length": 2048, "truncation": "right", "epochs": 2, "batch_size": 64, "learning_rate": 1e-4,
             "checkpoints.save_every": 100, "checkpoints.eval_every": 100, "checkpoints.keep": 5,
             "trainer.dtype": "bf16", "trainer.sequence_parallel": 2, "trainer.micro_batch_size": 4,
             "trainer.remove_padding": True, "trainer.offload": False, "tracking.backends.0.type": "swanlab"},
        ),
        # rewriting, source A
        (
            "rl/finance-rewriting",
            {"model.path": "deepseek-ai/deepseek-llm-7b-chat", "learning_rate": 1e-6, "batch_size": 8 * 4, "epochs": 3,
             "schedule.warm_up_steps": 100, "algorithm.clip": 0.2, "reward.parts.recall.k": 10,
             "reward.retriever.retrieval_method": "bm25", "generation.max_new_tokens": 512,
             "generation.temperature": 0.7, "generation.top_p": 0.9, "tracking.project": "my-deepretrieval",
             "tracking.backends.0.type": "wandb", "log_every": 10, "trainer.gpus": 4,
             "trainer.gradient_checkpointing": True},
        ),
        # DeepRetrieval's typical run, and its rewards
        (
            "rl/beir-bm25",
            {"model.path": "Qwen/Qwen2.5-3B-Instruct", "learning_rate": 1e-6, "algorithm.critic_learning_rate": 1e-5,
             "batch_size": 64, "mini_batch_size": 16, "generation.max_prompt_length": 256,
             "generation.max_new_tokens": 512, "generation.temperature": 0.6, "trainer.gpus": 2, "algorithm.kl": 0.001,
             "algorithm.group_size": 1, "reward.parts.format.good": 0.1, "reward.parts.format.bad": -2,
             "reward.parts.format.only_with_answer": True, "reward.parts.ndcg.k": 1000,
             "reward.parts.ndcg.k_held_out": 10},
        ),
        *(
            (
                name,
                {"reward.parts.format.good": 1, "reward.parts.format.bad": -4, "reward.parts.recall_tiers.k": 3000,
                 "reward.parts.recall_tiers.tiers": TIERS, "reward.parts.recall_tiers.below": -3.5,
                 "engine.type": engine},
            )
            for name, engine in (("rl/pubmed", "pubmed"), ("rl/trials", "clinical_trials"))
        ),
        (
            "rl/evidence-qa",
            {"reward.parts.evidence_rank.ranks": RANKS, "reward.parts.evidence_rank.below": -3.5,
             "reward.parts.format.bad": -4},
        ),
        (
            "rl/sql",
            {"reward.answer_key": "sql", "reward.parts.sql_execution.match": 1,
             "reward.parts.sql_execution.other_rows": 0, "reward.parts.format.bad": -2},
        ),
        # process and outcome, source B
        (
            "rl/finance-choice",
            {"model.path": "Qwen/Qwen3-0.6B", "learning_rate": 3e-6, "schedule.warm_up": 0.15, "batch_size": 16,
             "algorithm.group_size": 4, "algorithm.kl": 0.001, "reward.parts.format_pieces.weight": 0.5,
             "reward.parts.format_pieces.think": 0.2, "reward.parts.format_pieces.steps": 0.2,
             "reward.parts.format_pieces.answer": 0.3, "reward.parts.format_pieces.box": 0.3,
             "reward.parts.format_pieces.max_steps": 5, "reward.parts.choice.weight": 1,
             "reward.parts.process_judge.weight": 1, "reward.parts.process_judge.judge.temperature": 0,
             "reward.parts.process_judge.judge.max_tokens": 16, "reward.parts.process_judge.judge.timeout_seconds": 30,
             "reward.parts.process_judge.judge.highest": 10},
        ),
        # search agents: Search-R1, source B
        (
            "rl/search-agent",
            {"learning_rate": 1e-6, "schedule.warm_up": 0.285, "batch_size": 512, "algorithm.group_size": 5,
             "algorithm.kl": 0.001, "tool.top_k": 3, "tool.max_calls": 4, "reward.parts.exact_match.credit.right": 0.8,
             "reward.parts.exact_match.credit.valid": 0.2},
        ),
        (
            "rl/search-agent-zh",
            {"reward.parts.format.weight": 0.3, "reward.parts.semantic_match.weight": 0.7,
             "reward.retriever.timeout_seconds": 30, "reward.retriever.requests_per_minute": 120 * 60},
        ),
        # the end of it, source A step 7
        ("eval/rewriter", {"measures": ("recall@10", "ndcg@10", "mrr@10"), "rewriter.llm.concurrency": 16}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_values_of_a_source_are_fields_of_a_shipped_recipe(name, values):
    assert {place: at(name, place) for place in values} == values
