"""What may go wrong with a service that is asked over HTTP, and is no answer."""

from core.errors import ContractError, Missing


class ServiceFailed(Missing):
    """A service gave no usable answer, after all tries: exit code 3."""

    def __init__(self, service: str, url: str, last: str, *, tried: int, seconds: float, whole: bool) -> None:
        self.service, self.url, self.last = service, url, last
        self.tried, self.seconds = tried, seconds
        self.whole = whole
        """Whether nobody else got an answer in that time either: the service is gone, not one question unlucky."""
        times = "once" if tried == 1 else f"{tried} times in {seconds:.1f} s"
        what = f"the {service} gave no usable answer, asked {times}: {last}"
        hint = (
            "no score was made of it, and no empty result; is the service running, at this address, and made for this?"
        )
        super().__init__(what, where=url, hint=hint)

    def __reduce__(self) -> tuple[object, ...]:
        # Workers hand it to their driver by pickle, which knows positional arguments only.
        return _again, (self.service, self.url, self.last, self.tried, self.seconds, self.whole)


def _again(service: str, url: str, last: str, tried: int, seconds: float, whole: bool) -> ServiceFailed:
    return ServiceFailed(service, url, last, tried=tried, seconds=seconds, whole=whole)


class ServiceRefused(ContractError):
    """A service answers, and not to this question: a wrong field, another protocol. Trying again is of no use."""


class QuestionRefused(ServiceRefused):
    """A service looked at a question and turned it down: HTTP 400 and the like."""


class Unreadable(Exception):
    """An answer that came and cannot be used; it is asked for again."""
