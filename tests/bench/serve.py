"""The server beside its own index asked directly, on a real collection; one JSON object on stdout.

    python -m tests.bench.serve ../shared/data/fintruthqa_zh.tar.gz [requests] [rounds]

Requests of one query each come from 1, 16 and 64 connections of one client process; rounds take turns, medians count.
The client shares the machine with the server.
"""

import asyncio
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path

from core import artifact
from core.formats import beir
from core.index import build
from core.index.recipe import Recipe
from core.recipe import ArtifactRecipe
from core.retrieval.index import open_index
from core.retrieval.spec import Bm25

CLIENTS = (1, 16, 64)
TOP_K = 5


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PORT = free_port()


def request(query):
    body = json.dumps({"queries": [query], "topk": TOP_K, "return_scores": True}).encode()
    return b"POST /retrieve HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def connection(requests, seconds):
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    for bytes_ in requests:
        started = time.perf_counter()
        writer.write(bytes_)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        (length,) = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.partition(b":")[2]))
        seconds.append(time.perf_counter() - started)
    writer.close()


async def load(queries, clients):
    requests, seconds = iter([request(query) for query in queries]), []
    started = time.perf_counter()
    await asyncio.gather(*(connection(requests, seconds) for _ in range(clients)))
    return len(seconds) / (time.perf_counter() - started), statistics.quantiles(seconds, n=20)


def direct(index, queries):
    started = time.perf_counter()
    index.search(queries, TOP_K)
    return len(queries) / (time.perf_counter() - started)


def wait_for_server(child):
    while child.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=1):
                return
        except OSError:  # not there yet, or too busy to answer in time
            time.sleep(0.1)
    raise SystemExit("the server ended")


def prepare(archive, home):
    with tarfile.open(archive) as tar:
        tar.extractall(home, filter="data")
    (source,) = (path.parent for path in Path(home).glob("*/corpus.jsonl"))
    data = ArtifactRecipe(stage="data", out=Path(home) / "data")
    artifact.make(data, lambda _, work: shutil.copytree(source, work.path, dirs_exist_ok=True))
    artifact.make(Recipe(stage="index", data=data.out, out=Path(home) / "index", backend=Bm25()), build.run)
    return [query.text for query in beir.read_queries(data.out)]


def main(archive, requests="3000", rounds="3"):
    with tempfile.TemporaryDirectory() as home:
        texts = prepare(archive, home)
        queries = (texts * (int(requests) // len(texts) + 1))[: int(requests)]
        (Path(home) / "serve.yaml").write_text(f"stage: serve\nindex: {home}/index\nport: {PORT}\n")
        index = open_index(Path(home) / "index")
        direct(index, queries)
        with subprocess.Popen([sys.executable, "-m", "cli.main", "serve", f"{home}/serve.yaml", "-q"]) as child:
            try:
                wait_for_server(child)
                rates, times, alone = {n: [] for n in CLIENTS}, {n: [] for n in CLIENTS}, []
                for _ in range(int(rounds)):
                    alone.append(direct(index, queries))
                    for clients in CLIENTS:
                        rate, quantiles = asyncio.run(load(queries, clients))
                        rates[clients].append(rate)
                        times[clients].append((quantiles[9] * 1000, quantiles[18] * 1000))
            finally:
                child.terminate()
    report = {"collection": Path(archive).name, "index_alone_queries_per_second": round(statistics.median(alone))}
    for clients in CLIENTS:
        p50, p95 = (statistics.median(column) for column in zip(*times[clients], strict=True))
        rate = statistics.median(rates[clients])
        report[f"{clients}_clients"] = {
            "requests_per_second": round(rate),
            "p50_ms": round(p50, 2),
            "p95_ms": round(p95, 2),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
