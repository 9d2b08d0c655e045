"""`python -m core.llm.local --model FOLDER --host 127.0.0.1 --port 8000`."""

import argparse
import logging
import os
import sys

from core.errors import DrError
from core.llm.local.app import Server, create
from core.llm.local.batches import Limits
from core.llm.local.loading import load
from core.llm.service import KEY

log = logging.getLogger("core.llm.local")


def main() -> int:
    """Serve until stopped; the status of the process."""
    asked = _arguments().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # stderr, which is the log
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        loaded = load(asked.model, dtype=asked.dtype, max_tokens=asked.max_model_len)
    except DrError as error:
        sys.stderr.write(f"{error.render()}\n")
        return error.exit_code
    limits = Limits(asked.max_batch, asked.max_batch_tokens, asked.max_queue)
    key = os.environ.get(KEY, "").strip().encode() or None
    log.info("%s reads %d tokens on %s", asked.model, loaded.max_tokens, loaded.device)
    Server(create(loaded, asked.served_model_name or asked.model, limits, key), asked.host, asked.port).run()
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="core.llm.local", description="Chat completions by transformers.")
    parser.add_argument("--model", required=True, help="folder, or name on the hub")
    parser.add_argument("--served-model-name", help="what requests call it; the model's own name without")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto")
    parser.add_argument("--max-model-len", type=int, help="tokens of prompt and answer; as the model says without")
    parser.add_argument("--max-batch", type=int, default=64, help="answers that are written together")
    parser.add_argument("--max-batch-tokens", type=int, default=1 << 17, help="tokens of them, prompts included")
    parser.add_argument("--max-queue", type=int, default=2048, help="answers that wait; more get 503")
    return parser


if __name__ == "__main__":
    sys.exit(main())
