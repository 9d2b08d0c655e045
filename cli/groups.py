"""Command groups: a default verb, and the order in which data flows."""

from typing import Any

from typer.core import TyperGroup

FLOW = ("data", "embed", "index", "serve", "eval", "run", "recipe", "doctor")


class Flow(TyperGroup):
    """Lists the commands in the order the data flows; Typer would put groups last."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=FLOW.index)


def with_default(verb: str) -> type[TyperGroup]:
    """A group in which `dr group X` means `dr group <verb> X`, unless X is one of its verbs."""

    class WithDefault(TyperGroup):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
                args = [verb, *args]
            return super().parse_args(ctx, args)

    return WithDefault
