"""A language model's server that computes its answers from the question, and fails as often as it is told to.

    python tests/doubles/llm_server.py --port 0 --latency 0.2 --slots 64 --faults 0.3 --log tries.jsonl

Prints its port as the first line. The same question gets the same answer, in every process and on every try. Which
tries fail follows from --seed, the question and the number of the try, so that two runs can be compared.
"""

import argparse
import asyncio
import hashlib
import json
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from aiohttp import web

KINDS = ("500", "429", "stall", "truncated", "broken")
KNOWN = {"model", "messages", "temperature", "top_p", "max_tokens", "response_format"}


def options(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds an answer takes")
    parser.add_argument("--slots", type=int, default=10_000, help="answers written at once; more wait in a queue")
    parser.add_argument("--refuse", action="store_true", help="429 for those that find no slot free")
    parser.add_argument("--faults", type=float, default=0.0, help="share of tries that fail")
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds of faults, each as likely as the others")
    parser.add_argument("--most-faults", type=int, default=5, help="faulty tries of one question at most")
    parser.add_argument("--retry-after", default="1", help="header of a 429: seconds, `date`, or `none`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", help="file: one JSON line for each try")
    parser.add_argument("--key", help="the key that callers must send")
    parser.add_argument("--model", action="append", help="names it knows; none: any")
    parser.add_argument("--context", type=int, help="characters of a prompt at most")
    parser.add_argument("--filter", help="questions with this word are refused by the content filter")
    parser.add_argument("--breaks", help="questions with this word break their connection, always")
    parser.add_argument("--formats", default="json_schema,json_object", help="kinds of response_format it takes")
    parser.add_argument("--strict", action="store_true", help="422 for fields that the OpenAI API does not have")
    parser.add_argument("--style", default="plain", help="plain, fenced, thinking, extra, foreign, or prose")
    parser.add_argument("--body", help="answer every question with HTTP 200 and this text")
    parser.add_argument(
        "--script", help="JSON file: word of a question -> text of its answer, its whole choice, or a list of such"
    )
    parser.add_argument("--status", type=int, help="answer every question with this status")
    parser.add_argument("--no-usage", action="store_true")
    return parser.parse_args(argv)


def tried(body):
    """Digest of a question: what is asked, not how."""
    asked = {"messages": body["messages"], "format": body.get("response_format")}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def passage(messages):
    """The longest paragraph that the user wrote."""
    text = "\n".join(message["content"] for message in messages if message["role"] == "user")
    return max(text.split("\n"), key=len)


def span(text, pick):
    """Some words of `text`, or characters where it has no spaces."""
    words = text.split()
    units, joint, length = (words, " ", pick.randint(4, 8)) if len(words) > 8 else (list(text), "", pick.randint(8, 16))
    start = pick.randint(0, max(0, len(units) - length))
    return joint.join(units[start : start + length]).strip() or "?"


def fill(schema, text, pick):
    """A value that fits a JSON schema, its choices by chance, its strings out of `text`."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return pick.choice(schema["enum"])
    if branches := schema.get("anyOf") or schema.get("oneOf"):
        return fill(branches[0], text, pick)
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: fill(inner, text, pick) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [fill(schema.get("items", {}), text, pick) for _ in range(max(1, schema.get("minItems", 1)))]
    if kind in {"integer", "number"}:
        return pick.randint(int(schema.get("minimum", 0)), int(schema.get("maximum", schema.get("minimum", 0) + 10)))
    return pick.choice([True, False]) if kind == "boolean" else span(text, pick)


def answer(body, digest, style):
    """Text and reasoning."""
    pick, text = random.Random(digest), passage(body["messages"])
    form = body.get("response_format") or {}
    if style == "foreign":
        text = "Ответ написан на другом языке, хотя вопрос был задан иначе, и так бывает довольно часто"
    if form.get("type") == "json_schema":
        value = fill(form["json_schema"]["schema"], text, pick)
    elif form.get("type") == "json_object":
        value = {"answer": span(text, pick)}
    else:
        value = None
    if style == "extra" and isinstance(value, dict):
        value = {"comment": "not asked for", **value, "confidence": 0.5}
    said = span(text, pick) if value is None else json.dumps(value, ensure_ascii=False)
    wrapped = {
        "fenced": f"```json\n{said}\n```",
        "thinking": f"<think>\nwhat may {{it}} be?\n</think>\n\n{said}",
        "prose": f"Here it is: {said}\nI hope that helps.",
    }
    return wrapped.get(style, said)


class Server:
    def __init__(self, chosen):
        self.chosen, self.tries = chosen, {}
        self.slots, self.under_way = asyncio.Semaphore(chosen.slots), 0
        self.script = json.load(open(chosen.script, encoding="utf-8")) if chosen.script else {}  # noqa: SIM115
        self.log = open(chosen.log, "ab", buffering=0) if chosen.log else None  # noqa: SIM115 - for its whole life

    def note(self, **row):
        if self.log:
            self.log.write(json.dumps({**row, "ended": time.time()}).encode() + b"\n")

    def fault(self, digest, number):
        pick = random.Random(f"{self.chosen.seed} {digest} {number}")
        if number > self.chosen.most_faults or pick.random() >= self.chosen.faults:
            return None
        return pick.choice(self.chosen.kinds.split(","))

    def error(self, status, message, code=None, headers=None):
        body = {"error": {"message": message, "type": "error", "code": code}}
        return web.json_response(body, status=status, headers=headers)

    def busy(self):
        after = self.chosen.retry_after
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
        header = {} if after == "none" else {"Retry-After": date if after == "date" else after}
        return self.error(429, "too many requests", headers=header)

    def refusal(self, request, body):
        """A response for a question that is wrong; None when it is right."""
        chosen = self.chosen
        given = request.headers.get("Authorization", "")
        form = (body.get("response_format") or {}).get("type")
        characters = sum(len(message["content"]) for message in body["messages"])
        if chosen.key and given != f"Bearer {chosen.key}":
            return self.error(401, f"incorrect API key provided: {given.removeprefix('Bearer ')}", "invalid_api_key")
        if chosen.model and body["model"] not in chosen.model:
            return self.error(404, f"The model `{body['model']}` does not exist.", "model_not_found")
        if chosen.strict and (unknown := sorted(set(body) - KNOWN)):
            return web.json_response({"detail": f"Unexpected keys in the request: {unknown}"}, status=422)
        if form and form not in chosen.formats.split(","):
            return self.error(400, f"This response_format type is unavailable: {form}", "invalid_request_error")
        if chosen.context and characters > chosen.context:
            return self.error(400, f"the maximum context length is {chosen.context} tokens, got {characters}")
        if chosen.filter and chosen.filter in json.dumps(body["messages"], ensure_ascii=False):
            return self.error(400, "the prompt was blocked by our content filter", "content_filter")
        if chosen.status:
            return self.error(chosen.status, "as it was told")
        return web.Response(text=chosen.body) if chosen.body is not None else None

    async def chat(self, request):
        due, started = time.monotonic() + self.chosen.latency, time.time()
        body = await request.json()
        digest = tried(body)
        number = self.tries[digest] = self.tries.get(digest, 0) + 1
        row = {"digest": digest, "try": number, "started": started, "format": body.get("response_format")}
        row["fields"] = sorted(body)
        if refusal := self.refusal(request, body):
            self.note(**row, status=refusal.status, fault="refused")
            return refusal
        if self.chosen.refuse and self.slots.locked():
            self.note(**row, status=429, fault="full", under_way=self.under_way)
            return self.busy()
        fault = self.fault(digest, number)
        self.under_way += 1
        row["under_way"] = self.under_way
        try:
            status = 0
            if self.slots.locked():  # the answer is begun when a slot is free
                await self.slots.acquire()
                due = time.monotonic() + self.chosen.latency
            else:
                await self.slots.acquire()
            try:
                response = await self.respond(request, body, digest, fault, due, number)
                status = response.status
            finally:
                self.slots.release()
        finally:
            self.under_way -= 1
            self.note(**row, status=status, fault=fault)
        return response

    async def respond(self, request, body, digest, fault, due, number):
        if fault == "429":
            return self.busy()
        if fault == "stall":
            await asyncio.sleep(3600)
        said = answer(body, digest, self.chosen.style)
        if fault == "truncated":
            said = said[: len(said) // 2]
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if fault == "500":
            return self.error(500, "something broke")
        if fault == "broken" or (self.chosen.breaks and self.chosen.breaks in json.dumps(body["messages"])):
            request.transport.abort()
        usage = {"prompt_tokens": len(json.dumps(body["messages"])) // 4, "completion_tokens": max(1, len(said) // 2)}
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        choice = self.scripted(body["messages"], choice, number)
        reply = {"id": digest[:12], "object": "chat.completion", "model": body["model"], "choices": [choice]}
        return web.json_response(reply if self.chosen.no_usage else {**reply, "usage": usage})

    def scripted(self, messages, choice, number):
        """The choice that the script has for the last thing the user said, where it has one; of a list, try by try."""
        asked = [message["content"] for message in messages if message["role"] == "user"][-1]
        said = next((said for word, said in self.script.items() if word in asked), choice)
        if isinstance(said, list):
            said = said[(number - 1) % len(said)]
        if isinstance(said, dict):
            return {**choice, **said}
        return {**choice, "message": {"role": "assistant", "content": said}}

    async def models(self, request):
        return web.json_response({"object": "list", "data": [{"id": name} for name in self.chosen.model or ["any"]]})

    async def health(self, request):
        return web.Response(text="ok")


class Host:
    """The server of the command line, and further ones by name: `POST /doubles` with a list of arguments makes one."""

    def __init__(self, chosen):
        self.servers = {"": Server(chosen)}

    async def make(self, request):
        name = f"double{len(self.servers)}"
        self.servers[name] = Server(options(await request.json()))
        return web.json_response({"name": name})

    def to(self, method):
        async def handle(request):
            return await method(self.servers[request.match_info.get("name", "")], request)

        return handle

    def app(self):
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/doubles", self.make)
        for place in ("", "/{name}"):
            app.router.add_post(f"{place}/v1/chat/completions", self.to(Server.chat))
            app.router.add_get(f"{place}/v1/models", self.to(Server.models))
            app.router.add_get(f"{place}/health", self.to(Server.health))
        return app


async def main(argv):
    chosen = options(argv)
    runner = web.AppRunner(Host(chosen).app(), access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", chosen.port, backlog=1024)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
