"""Command groups: a default verb, and the order in which data flows."""

from typing import Any

from typer.core import TyperGroup

FLOW: tuple[str, ...] = ("data", "distill", "embed", "index", "serve", "eval", "rewrite", "reward", "sft", "rl")
FLOW += ("run", "recipe", "env", "doctor")


VERBS: tuple[str, ...] = ("list", "download", "build", "check", "convert", "rows", "mix")
VERBS += ("personas", "run", "audit", "mine", "reasoning", "train", "merge", "encode", "parity")
VERBS += (
    "search",
    "compare",
    "retrieval",
    "llm",
    "test",
    "replay",
    "probe",
    "export",
    "ls",
    "cp",
    "show",
    "validate",
    "create",
)


class Flow(TyperGroup):
    """Lists the commands in the order the data flows; Typer would put groups last."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=FLOW.index)


class Group(TyperGroup):
    """Lists its verbs in the order in which they are used."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=VERBS.index)


def with_default(verb: str) -> type[TyperGroup]:
    """A group in which `dr group X` means `dr group <verb> X`, unless X is one of its verbs."""

    class WithDefault(Group):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
                args = [verb, *args]
            return super().parse_args(ctx, args)

    return WithDefault
