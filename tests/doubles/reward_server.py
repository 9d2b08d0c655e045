"""A retriever and a judge that fail as they are told to; standard library only.

    python tests/doubles/reward_server.py

Prints its port as the first line. `POST /retrieve` finds the documents that a query names: `d3 d1` finds d3, then d1,
whose text is `text of d3`, or what stands after `=` as in `d3=some_words`. `POST /v1/chat/completions` answers with the
last number in the question, or with what stands after `SAY ` there. `POST /faults` takes a list of faults for the next
requests, one each: `500`, `503`, `429`, `400`, `401`, `drop`, `short`, `html`, `slow`, `eight`, `one list`, `no id`, or
null for none; `always X` stays. `GET /log` gives what was asked so far and forgets it.
"""

import json
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATUS = {"500", "503", "429", "400", "401"}


class Double(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.faults, self.asked, self.lock = [], [], threading.Lock()

    def fault(self):
        with self.lock:
            if not self.faults:
                return None
            first = self.faults[0]
            if first and first.startswith("always "):
                return first.removeprefix("always ")
            return self.faults.pop(0)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_):
        pass

    def do_GET(self):
        with self.server.lock:
            asked, self.server.asked = self.server.asked, []
        self.reply(200, asked)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/faults":
            self.server.faults = body
            return self.reply(200, {})
        return self.faulty(body, self.retrieve if self.path == "/retrieve" else self.judge)

    def faulty(self, body, answer):
        """Note what is asked, and answer it by `answer(body, fault)` unless the fault forbids."""
        fault = self.server.fault()
        note = {"path": self.path, "body": body, "fault": fault, "at": time.time(), "client": self.client_address[1]}
        note["key"] = self.headers.get("Authorization")
        with self.server.lock:
            self.server.asked.append(note)
        if fault in STATUS:
            headers = {"Retry-After": "0.2"} if fault in {"503", "429"} else {}
            return self.reply(int(fault), {"error": {"message": "as it was told"}}, headers)
        if fault == "drop":
            self.close_connection = True
            return self.connection.close()
        if fault == "html":
            return self.send(200, b"<html>a proxy's page</html>", {})
        if fault == "slow":
            time.sleep(3)
        value = answer(body, fault)
        if fault == "short":
            self.send(200, json.dumps(value).encode(), {}, cut=5)
            self.close_connection = True
            return None
        status, value = value if isinstance(value, tuple) else (200, value)
        return self.send(status, value, {}) if isinstance(value, bytes) else self.reply(status, value)

    def retrieve(self, body, fault):
        found = [[hit(word) for word in query.split()][: body["topk"]] for query in body["queries"]]
        if fault == "one list":
            found = found[:1] * (len(found) + 1)
        if fault == "no id":
            found = [[{"document": {"contents": "x"}, "score": 1.0}] for _ in found]
        return {"result": found}

    def judge(self, body, fault):
        text = body["messages"][1 if body["messages"][0]["role"] == "system" else 0]["content"]
        said = text.split("SAY ")[1] if "SAY " in text else re.findall(r"[0-9.]+", text)[-1]
        return {"choices": [{"message": {"role": "assistant", "content": "eight" if fault == "eight" else said}}]}

    def reply(self, status, value, headers=None):
        self.send(status, json.dumps(value).encode(), headers or {})

    def send(self, status, payload, headers, cut=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload[:cut])
        self.wfile.flush()


def hit(word):
    name, _, text = word.partition("=")
    return {"document": {"id": name, "contents": text.replace("_", " ") or f"text of {name}"}, "score": 1.0}


def main(handler):
    double = Double(handler)
    print(double.server_address[1], flush=True)
    try:
        double.serve_forever()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(Handler)
