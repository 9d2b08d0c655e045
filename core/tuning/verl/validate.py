"""The whole configuration against the installed verl, before anything is paid: composed, checked, its parts loaded."""

import json
from typing import Any

from core import process
from core.errors import DrError, ProcessFailed, RecipeError
from core.tuning.spec import Verl
from core.tuning.verl.arguments import Keys, rendered
from core.tuning.verl.guest import names
from core.tuning.verl.interpreter import Interpreter
from core.tuning.verl.session import Session

MODULE = f"{names.PLUGIN.rpartition('.')[0]}.validate"
GIVEN, ANSWER, LOG = "validate.json", "answer.json", "validate.log"


def validate(
    session: Session,
    trainer: Verl,
    interpreter: Interpreter,
    config: str,
    settings: Keys,
    env: dict[str, str] | None = None,
) -> list[str]:
    """What verl made of `settings` on top of its own `config`, in lines.

    Raises:
        RecipeError: it refuses them; with its own sentence.
        ProcessFailed: it ended without one.
    """
    given, answer = session.folder / GIVEN, session.folder / ANSWER
    given.write_text(
        json.dumps({"config": config, "arguments": rendered(settings), "answer": str(answer)}), encoding="utf-8"
    )
    command = session.command(("-m", MODULE, str(given)), trainer, env)
    try:
        process.run(command, session.folder / LOG)
    except ProcessFailed:
        if not answer.exists():
            raise
    told: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in told:
        raise _refused(told, interpreter)
    return [f"verl {interpreter.release} takes the configuration", *told["seen"]]


def _refused(told: dict[str, Any], interpreter: Interpreter) -> DrError:
    what = f"verl {interpreter.release} refuses the configuration: {told['error']}"
    return RecipeError(what, where=str(interpreter.python), hint=told.get("hint"))
