"""Makes recipes/sample/exercises: what small models of the tiny recipes are trained on.

`python -m tests.exercises` writes them anew, out of the other samples.
"""

import gzip
import json
import random
import sqlite3
from pathlib import Path
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

from core.formats import beir
from core.reward.services.retriever import Hit
from core.rl.recipe import SearchTool
from core.rl.tool import search
from core.tuning.models.chat import TEMPLATE
from tests import world

SAMPLE = Path(__file__).parents[1] / "recipes" / "sample"
FOLDER = SAMPLE / "exercises"
CALLS = 400

KINDS = ("tea", "coffee", "bread", "cheese", "fruit", "spice")
CITIES = ("Lima", "Oslo", "Quito", "Kyoto", "Turin", "Accra", "Perth", "Riga")
SHOP = """
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, price INTEGER);
CREATE TABLE sale (id INTEGER PRIMARY KEY, product_id INTEGER, city TEXT, pieces INTEGER);
"""


def rewrites() -> list[dict[str, Any]]:
    """Beginnings of texts of finance_zh with their titles, and training queries with the title of the best document."""
    titles = {document["id"]: document.get("title", "") for document in _read("finance_zh/corpus.jsonl")}
    judged = beir.read_qrels(SAMPLE / "finance_zh", "train")
    pairs = [
        (document["text"][:24], document["title"])
        for document in _read("finance_zh/corpus.jsonl")
        if document.get("title")
    ]
    for query in _read("finance_zh/queries.jsonl"):
        grades = judged.get(query["_id"], {})
        if title := titles.get(max(grades, key=lambda id_: grades[id_], default=""), ""):
            pairs.append((query["text"], title))
    return [{"query": query, "rewritten": title} for query, title in pairs]


def choices() -> list[dict[str, Any]]:
    """Which of four titles a text of finance_zh has; the explanation is in steps."""
    draw = random.Random(1)
    documents = [d for d in _read("finance_zh/corpus.jsonl") if d.get("title") and d["id"][:5] in ("guide", "polic")]
    found = []
    for document in documents:
        others = draw.sample([other["title"] for other in documents if other is not document], 3)
        options = [document["title"], *others]
        draw.shuffle(options)
        letter = "ABCD"[options.index(document["title"])]
        steps = [f"Step 1: 这段话讲的是{document['title']}", f"Step 2: 与它相符的是选项{letter}"]
        found.append({
            "question": f"下面这段话最合适的标题是哪一个？{document['text'].partition('。')[0]}。",
            "choices": dict(zip("ABCD", options, strict=True)),
            "answer": letter,
            "explanation": "\n".join(steps),
        })  # fmt: skip
    return found


def shop() -> tuple[str, list[dict[str, Any]]]:
    """The statements that make a small database, and questions on it."""
    draw = random.Random(2)
    names = [f"{colour} {kind}" for kind in KINDS for colour in ("red", "green", "white", "black")]
    lines = [SHOP.strip()]
    for number, name in enumerate(names, 1):
        row = f"{number}, '{name}', '{name.split()[1]}', {draw.randint(2, 40)}"
        lines.append(f"INSERT INTO product VALUES ({row});")
    for number in range(1, 161):
        row = f"{number}, {draw.randint(1, len(names))}, '{draw.choice(CITIES)}', {draw.randint(1, 9)}"
        lines.append(f"INSERT INTO sale VALUES ({row});")
    sold = "FROM sale JOIN product ON product.id = product_id WHERE"
    asked = [
        *((f"How many cost over {n}?", f"SELECT COUNT(*) FROM product WHERE price > {n}") for n in range(2, 40)),
        *((f"Which products cost less than {n}?", f"SELECT name FROM product WHERE price < {n}") for n in range(3, 40)),
        *((f"What is the highest price of {k}?", f"SELECT MAX(price) FROM product WHERE kind = '{k}'") for k in KINDS),
        *((f"What is the mean price of {k}?", f"SELECT AVG(price) FROM product WHERE kind = '{k}'") for k in KINDS),
        *((f"How many sales were there in {c}?", f"SELECT COUNT(*) FROM sale WHERE city = '{c}'") for c in CITIES),
        *((f"How many pieces were sold in {c}?", f"SELECT SUM(pieces) FROM sale WHERE city = '{c}'") for c in CITIES),
        *((f"Where was {n} sold?", f"SELECT DISTINCT city {sold} name = '{n}'") for n in names),
        *((f"How many pieces of {n} were sold?", f"SELECT SUM(pieces) {sold} name = '{n}'") for n in names),
    ]  # fmt: skip
    draw.shuffle(asked)
    return "\n".join(lines) + "\n", [{"question": question, "sql": sql, "db_id": "shop"} for question, sql in asked]


def calls() -> list[dict[str, Any]]:
    """Questions of the world that are answered by a search: the call, what it finds, the name that is the answer."""
    draw = random.Random(3)
    known = world.words(random.Random(0))
    meant = dict(zip(known.people, known.documents, strict=True))
    documents = _read("world/corpus.jsonl.gz")
    words = [set(document["text"].split()) for document in documents]
    places = {document["title"]: place for place, document in enumerate(documents)}
    tool = SearchTool().model_dump()
    (told,), _ = render_jinja_template(
        [[{"role": "user", "content": ""}]], tools=[search.schema(tool)], chat_template=TEMPLATE
    )
    system = told.removeprefix("<|im_start|>system\n").partition("<|im_end|>")[0]
    found = []
    for row in _read("world/questions.jsonl.gz")[:CALLS]:
        query = [meant[word] for word in row["question"].split() if word in meant]
        near = [place for place, of in enumerate(words) if len(of.intersection(query)) == 2]
        shown = [places[row["golden_answers"][0]], *draw.sample(near, tool["top_k"] - 1)]
        hits = [Hit(documents[place]["_id"], "{title}\n{text}".format(**documents[place])) for place in shown]
        call = json.dumps({"name": tool["name"], "arguments": {search.ARGUMENT: [" ".join(query)]}})
        found.append({"messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": f"Question: {row['question']}"},
            {"role": "assistant", "content": f"<think></think>\n<tool_call>\n{call}\n</tool_call>"},
            {"role": "user", "content": f"<tool_response>\n{search.answer([''], [hits])}\n</tool_response>"},
            {"role": "assistant", "content": f"<think></think>\n<answer>{row['golden_answers'][0]}</answer>"},
        ]})  # fmt: skip
    return found


def files() -> dict[str, str]:
    """Name and text of every file; of the database the statements that make it."""
    statements, asked = shop()
    return {
        "rewrites.jsonl": _lines(rewrites()),
        "choices.jsonl": _lines(choices()),
        "shop.jsonl": _lines(asked),
        "shop.sqlite": statements,
        "calls.jsonl.gz": _lines(calls()),
    }


def write(folder: Path) -> None:
    """Write the files."""
    folder.mkdir(exist_ok=True)
    for name, text in files().items():
        path = folder / name
        path.unlink(missing_ok=True)
        if path.suffix == ".sqlite":
            connection = sqlite3.connect(path)
            connection.executescript(text)
            connection.close()
        else:
            content = text.encode()
            path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _read(name: str) -> list[dict[str, Any]]:
    content = (SAMPLE / name).read_bytes()
    content = gzip.decompress(content) if name.endswith(".gz") else content
    return [json.loads(line) for line in content.decode().splitlines()]


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    write(FOLDER)
