"""The one door to language models: an OpenAI-compatible client, its journal, and vLLM as a service.

    from core.llm.chat import Message, Request
    from core.llm.client import open_client
    from core.llm.errors import Unanswered
    from core.llm.journal import Journal
    from core.llm.over import over
    from core.llm.repair import parse_object

    with Journal(work.path / "answers.jsonl") as journal:
        async with open_client(recipe.teacher.llm, journal) as client:
            async for number, made in over(documents, work=write_query, window=client.window):
                ...  # `write_query` calls `await client.ask(Request(messages, schema))`, maybe several times
            work.stats["llm"] = client.usage.stats()

- `ask` returns an `Answer` that is in the journal already; asked again, in this run or the next, it costs nothing.
  `Request.attempt` asks the same messages anew; a changed prompt is another request anyway.
- `Unanswered` (with its `reason`) is about one request: write it down, go on. `Missing` and `BudgetReached` end the
  run: let them pass; every later `ask` raises them too, and what was answered stays in the journal.
- A server that had answered and goes away is waited for (`restart_seconds`); one that was never there is told at once.
- Processes that share a `cache` ask nothing twice; one that waits too long for another's answer asks itself after all.
- `over` hands results out as they finish, with the number of their item: sort by it, or write by it, to be byte-equal.
- The client bounds what is under way itself; give `over` the wider `client.window`, so that a request which waits for
  its retry leaves its place to another.
- A server that we start ourselves: `open_client(llm, journal, base_url=...)`.
- `core.llm.estimate` tells requests, tokens, cost and time beforehand and imports nothing heavy.
"""
