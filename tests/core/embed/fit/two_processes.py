"""One step in each of two processes, and the same rows in one; written to <folder>/<rank>.pt.

python -m torch.distributed.run --standalone --nproc-per-node=2 two_processes.py MODEL FOLDER
"""

import sys
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from torch import distributed
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from core.embed.fit.batch import Collate
from core.embed.fit.objective import Objective
from core.embed.losses.spec import InfoNce
from core.embed.rows.row import Row

CASES = {
    "plain": InfoNce(),
    "symmetric": InfoNce(symmetric=True, false_negative_margin=0.05, matryoshka=(8,)),
    "cached": InfoNce(mini_batch_size=3),
    "uneven": InfoNce(),
}


def rows(case):
    """Of each process. They share texts, a query and a document in pieces; uneven: also in number."""
    first = [
        Row("ab cd", ("bcd efg hab", "cab"), "q0", ("d0", "d1")),
        Row("ba", ("gfe dcb", "bcd efg hab ab ab ab ab"), "q1", ("d2#0", "d3")),
        Row("da da", ("cab",), "q2", ("d1",)),
    ]
    second = [
        Row("ab cd", ("hhh aa", "gfe dcb", "fa fa fa"), "q0", ("d4", "d2#0", "d5")),
        Row("hb", ("bad bad ba",), "q3", ("d2#1",)),
        Row("cc", ("ef ef", "fa fa fa"), "q4", ("d6", "d5")),
    ]
    return first, second[:2] if case == "uneven" else second


def built(folder):
    transformer = Transformer(folder)
    modules = [transformer, Pooling(transformer.get_embedding_dimension(), "mean")]
    return SentenceTransformer(modules=modules, device="cpu").eval()


def gradient(model):
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


def step(folder, case, rank):
    """Loss, gradient, and how often gradients were sent, of this process beside the other."""
    model, spec, sent = built(folder), CASES[case], []
    # As the trainer has it: a BERT holds a pooler that no pooling of ours asks.
    wrapped = DistributedDataParallel(model, broadcast_buffers=False, find_unused_parameters=True, bucket_cap_mb=100)

    def counted(state, bucket):
        sent.append(bucket.index())
        return allreduce_hook(None, bucket)

    wrapped.register_comm_hook(None, counted)
    objective = Objective(model, spec)
    objective.model = wrapped
    # The first step finds out in what order gradients come, the second is as all that follow.
    for _ in range(2):
        model.zero_grad()
        sent.clear()
        loss = objective(Collate(model, spec)(rows(case)[rank]))
        loss.backward()
    return {"loss": loss.item(), "gradient": gradient(model), "synchronised": len(sent)}


def alone(folder, case):
    model, spec = built(folder), CASES[case].model_copy(update={"gather": False, "mini_batch_size": None})
    first, second = rows(case)
    loss = Objective(model, spec)(Collate(model, spec)([*first, *second]))
    loss.backward()
    return {"expected_loss": loss.item(), "expected": gradient(model)}


def main(model, folder):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    torch.save({case: step(model, case, rank) | alone(model, case) for case in CASES}, Path(folder) / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
