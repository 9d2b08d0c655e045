"""An OpenAI-shaped embedding server over plain sentence-transformers, in the ways that real ones differ.

`--model FOLDER`; prints its port. A request's `model` says how it is answered: `right` embeds what it is sent, as vLLM
does, `ours` puts the model's prompts in front by `input_type`, as `dr serve` does. Wrong are `promptless` (a prompt
that was sent is dropped), `ours-promptless` (none is put), `short` (texts are cut to 8 tokens), `cut` (vectors of half
the length), `fewer` (one vector is missing), `nan`, `refuses` (503, with the key in its words) and `page` (HTML).
"""

import argparse
import http.server
import json

NAMES = ["right", "ours", "promptless", "ours-promptless", "short", "cut", "fewer", "nan", "refuses", "page"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    folder = parser.parse_args().model

    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")
    whole = model.max_seq_length

    def vectors(name, body):
        texts, prompt = body["input"], ""
        if name == "ours":
            prompt = model.prompts[body["input_type"]]
        if name == "promptless":
            texts = [text.removeprefix(model.prompts["query"]) for text in texts]
        model.max_seq_length = 8 if name == "short" else whole
        rows = model.encode(texts, prompt=prompt, normalize_embeddings=True).tolist()
        if name == "cut":
            return [row[: len(row) // 2] for row in rows]
        if name == "nan":
            rows[0][0] = None
        return rows[1:] if name == "fewer" else rows

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            owners = {True: "dr", False: "vllm"}
            data = [{"id": name, "object": "model", "owned_by": owners[name.startswith("ours")]} for name in NAMES]
            self.answer(200, json.dumps({"object": "list", "data": data}))

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = body["model"]
            if name == "refuses":
                return self.answer(503, f"busy, {self.headers['Authorization']}")
            if name == "page":
                return self.answer(200, "<html></html>")
            rows = [{"object": "embedding", "index": n, "embedding": row} for n, row in enumerate(vectors(name, body))]
            return self.answer(200, json.dumps({"object": "list", "data": rows[::-1], "model": name}))

        def answer(self, status, text):
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
