"""Requests as HTTP: one try each, its outcome as an answer or a fault, never an exception of the network."""

from dataclasses import replace

import aiohttp
import orjson

from core.llm import faults, reading
from core.llm.chat import Answer, Request
from core.llm.dialect import Dialect
from core.llm.endpoint import Endpoint
from core.llm.faults import Fault, Verdict
from core.llm.spec import Llm

CONNECT_SECONDS = 10.0
_SHORT = aiohttp.ClientTimeout(total=CONNECT_SECONDS)


def session(endpoint: Endpoint, timeout_seconds: float) -> aiohttp.ClientSession:
    """Connections to a server, used again and again; through the environment's proxy unless it is on this machine."""
    headers = {"Content-Type": "application/json"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=min(CONNECT_SECONDS, timeout_seconds)),
        headers=headers,
        trust_env=not endpoint.is_loopback,
    )


class Wire:
    """A server's chat completions, in the words that it takes."""

    def __init__(self, llm: Llm, endpoint: Endpoint, http: aiohttp.ClientSession) -> None:
        self.endpoint = endpoint
        self.heard = False
        """Whether the address ever answered, be it with an error."""
        self._http, self._timeout_seconds, self._dialect = http, llm.timeout_seconds, Dialect(llm)

    async def send(self, request: Request) -> Answer | Fault:
        """One try. A fault quotes the server, without the key; counts of tokens it does not give are -1."""
        version, body = self._dialect.version, self._dialect.body(request)
        url = f"{self.endpoint.base_url}/chat/completions"
        try:
            async with self._http.post(url, data=orjson.dumps(body), allow_redirects=False) as response:
                content = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return self._clean(faults.of_error(error, self._timeout_seconds))
        self.heard = True
        if response.status == 200:
            outcome = reading.read(content)
            return outcome if isinstance(outcome, Answer) else self._clean(outcome)
        fault = self._clean(faults.of_response(response.status, response.headers, content))
        changed = version != self._dialect.version  # another request was refused first: the words are others by now
        if fault.verdict is Verdict.WORDS and (changed or self._dialect.adapt(fault.what, body)):
            return replace(fault, verdict=Verdict.REWORDED)
        return fault

    async def models(self) -> list[str]:
        """What the server says that it serves; empty when it does not say."""
        url = f"{self.endpoint.base_url}/models"
        try:
            async with self._http.get(url, allow_redirects=False, timeout=_SHORT) as response:
                value = orjson.loads(await response.read())
                return [str(model["id"]) for model in value["data"]]
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError):
            return []  # the list is for a hint alone

    def _clean(self, fault: Fault) -> Fault:
        return replace(fault, what=self.endpoint.without_secrets(fault.what))
