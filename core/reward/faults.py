"""What may go wrong with a reward, and is no score."""

from core.errors import ContractError, Missing


class ServiceFailed(Missing):
    """A service that the reward needs gave no usable answer, after all tries: exit code 3."""

    def __init__(self, service: str, url: str, last: str, *, tried: int, seconds: float, whole: bool) -> None:
        self.service, self.url, self.last = service, url, last
        self.tried, self.seconds = tried, seconds
        self.whole = whole
        """Whether nobody else got an answer in that time either: the service is gone, not one question unlucky."""
        times = "once" if tried == 1 else f"{tried} times in {seconds:.1f} s"
        what = f"the {service} gave no usable answer, asked {times}: {last}"
        super().__init__(what, where=url, hint="no score was made of it; is the service running, and at this address?")

    def __reduce__(self) -> tuple[object, ...]:
        # Workers hand it to their driver by pickle, which knows positional arguments only.
        return _again, (self.service, self.url, self.last, self.tried, self.seconds, self.whole)


def _again(service: str, url: str, last: str, tried: int, seconds: float, whole: bool) -> ServiceFailed:
    return ServiceFailed(service, url, last, tried=tried, seconds=seconds, whole=whole)


class ServiceRefused(ContractError):
    """A service answers, and not to this question: a wrong field, another protocol. Trying again is of no use."""


class BadTruth(ContractError):
    """The ground truth of a sample is not what a part compares with."""


class BadReward(ContractError):
    """A user's function gave no number, or failed."""


class Unreadable(Exception):
    """An answer that came and cannot be used; it is asked for again."""
