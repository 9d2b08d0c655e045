"""Parts that look at the form of a response alone."""

from core.reward.parts.alone import Alone
from core.reward.sample import Reading, Value
from core.reward.words import tokens


class Format(Alone):
    """Good or bad."""

    facts: tuple[str, ...] = ("steps",)

    def fault(self, reading: Reading) -> str:
        """What is wrong with the form; empty: nothing."""
        form, config = reading.form, self._config
        if not form.tags:
            return "tags not once and in order"
        if config["answer"] == "query" and not form.query:
            return "no JSON with a query in the answer"
        if not form.answer:
            return "empty answer"
        most = config["max_steps"]
        if form.steps < config["min_steps"] or (most is not None and form.steps > most):
            return f"{form.steps} steps"
        return ""

    def _value(self, reading: Reading) -> Value:
        fault = self.fault(reading)
        return Value(self._config["bad" if fault else "good"], fault, {"steps": float(reading.form.steps)})


class FormatPieces(Alone):
    """The pieces that are there, added up."""

    facts: tuple[str, ...] = ("steps",)

    def _value(self, reading: Reading) -> Value:
        form, facts = reading.form, {"steps": float(reading.form.steps)}
        most = self._config["max_steps"]
        if most is not None and form.steps > most:
            return Value(0.0, f"{form.steps} steps", facts)
        there = {"think": form.thoughts, "steps": form.steps > 0, "answer": form.answer, "box": form.boxed}
        lacking = [name for name, is_there in there.items() if not is_there]
        # Rounded: .2 + .2 + .3 + .3 is 1, not 0.9999999999999999.
        total = round(sum(self._config[name] for name, is_there in there.items() if is_there), 12)
        return Value(total, f"no {', '.join(lacking)}" if lacking else "", facts)


class Length(Alone):
    """0 inside the bounds."""

    facts: tuple[str, ...] = ("units",)

    def _value(self, reading: Reading) -> Value:
        config = self._config
        text = {
            "response": reading.sample.response,
            "thoughts": reading.answer.thoughts,
            "query": reading.answer.query or "",
        }[config["of"]]
        units = len(tokens(text)) if config["unit"] == "words" else len(text.strip())
        facts = {"units": float(units)}
        if units < config["least"]:
            return Value(config["penalty"], f"{units} {config['unit']}, too few", facts)
        over = units - (config["most"] - config["buffer"])
        if over <= 0:
            return Value(0.0, "", facts)
        share = min(1.0, over / config["buffer"]) if config["buffer"] else 1.0
        return Value(config["penalty"] * share, f"{units} {config['unit']}, near or beyond the bound", facts)
