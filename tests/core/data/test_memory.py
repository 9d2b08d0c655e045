"""The proof that corpora are streamed: every day at 40 MB, as a slow proof at 1 GB."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

# VmHWM, not ru_maxrss: that of a child begins with what its parent had.
CODE = """
import sys
from pathlib import Path
from core import artifact
from core.data import build, check
from core.data.recipe import Recipe
folder = Path(sys.argv[1])
source = {"type": "jsonl", "documents": folder / "documents.jsonl"}
artifact.make(Recipe.model_validate({"stage": "data", "out": folder / "out", "source": source}), build.run)
check.inspect(folder / "out")
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_megabytes(folder, size_megabytes):
    folder.mkdir()
    text = "基金净值公告。" * 150 + "the price of a bond falls. " * 40
    row = json.dumps({"id": "%d", "contents": text + "%d"}, ensure_ascii=False) + "\n"
    with (folder / "documents.jsonl").open("w", encoding="utf-8") as file:
        for number in range(size_megabytes * 1_000_000 // len(row.encode())):
            file.write(row % (number, number))
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", CODE, folder], cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout) / 1000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_ten_times_the_corpus_needs_little_more_memory(tmp_path):
    small, large = peak_megabytes(tmp_path / "small", 4), peak_megabytes(tmp_path / "large", 40)
    assert large - small < 20, f"4 MB: {small:.0f} MB, 40 MB: {large:.0f} MB"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_a_corpus_of_one_gigabyte_needs_less_than_one_gigabyte_of_memory(tmp_path):
    assert peak_megabytes(tmp_path / "corpus", 1000) < 1000


READ = """
import sys
from core.data import source
from core.data.recipe import Recipe
from core.formats.rows import fail
given = {"type": sys.argv[1], "documents": sys.argv[2]}
recipe = Recipe.model_validate({"stage": "data", "out": "out", "source": given})
assert sum(1 for _ in source.opened(recipe.source).documents(fail)) == int(sys.argv[3])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def csv_of(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "text"), *rows])


def trec_of(path, rows):
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"<DOC>\n<DOCNO>{i}</DOCNO>\n<TEXT>\n{text}\n</TEXT>\n</DOC>\n" for i, text in rows)


def parquet_of(path, rows):
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for start in range(0, len(rows), 2000):
            some = [dict(zip(schema.names, row, strict=True)) for row in rows[start : start + 2000]]
            writer.write_table(pa.Table.from_pylist(some, schema=schema))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize(("kind", "write"), [("csv", csv_of), ("trec", trec_of), ("parquet", parquet_of)])
def test_every_table_of_documents_is_streamed(tmp_path, kind, write):
    peaks = []
    for count in (4_000, 160_000):  # of 1,500 characters: 6 MB and 240 MB
        path = tmp_path / f"{count}.{kind}"
        write(path, [(f"d{number}", f"{number} " + "bonds pay " * 150) for number in range(count)])
        argv = [sys.executable, "-c", READ, kind, str(path), str(count)]
        done = subprocess.run(argv, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True, check=True)
        peaks.append(int(done.stdout) / 1000)
    assert peaks[1] - peaks[0] < 80, peaks  # Arrow's pool grows to 50 MB and stays there
