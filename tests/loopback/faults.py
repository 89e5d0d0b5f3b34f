"""A run in which every sample meets a fault of its own."""

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from .shapes import Reply, Request


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one sample.

    Args:
        reply: What the server answers.
        times: To how many requests of that sample, before it answers as it should.
        rating: The sample's rating in the end; None for none.
        reason: The score's reason.
        error: What the sample's error says, if it fails.
        tries: How often the sample was asked for, where that is the point.
        only: The protocols that know the fault; empty for all.
    """

    reply: Reply
    times: int = 1000
    rating: int | None = None
    reason: str | None = None
    error: str | None = None
    tries: int | None = None
    only: tuple[str, ...] = ()


class Faulty:
    """Answers for a model: the sample of `userN` meets the fault of number N, and the others' requests none.

    Args:
        faults: The faults by name.
        model: The model that meets them; every other one answers as it should.
    """

    def __init__(self, faults: dict[str, Fault], model: str) -> None:
        self.faults = faults
        self.model = model.rpartition("/")[2]
        self.asked: Counter[str] = Counter()
        """How often the model was asked, by the fault's name."""
        self.others: Counter[str] = Counter()
        """How often the other models were."""
        self.times: dict[str, list[float]] = {}
        """When it was, monotonic seconds."""

    def __call__(self, request: Request) -> Reply:
        number = re.search(r"question 0 of user(\d+),", request.text)
        assert number
        name = list(self.faults)[int(number[1])]
        if request.model != self.model:
            self.others[name] += 1
            return Reply()
        self.asked[name] += 1
        self.times.setdefault(name, []).append(request.time)
        fault = self.faults[name]
        return replace(fault.reply) if self.asked[name] <= fault.times else Reply()

    def samples(self, log: Any) -> dict[str, Any]:
        """The samples of a log by the names of their faults."""
        names = list(self.faults)
        return {names[int(re.findall(r"user(\d+)_", sample.id)[0])]: sample for sample in log.samples}


def too_long(protocol: str) -> Reply:
    """The provider's answer to a prompt that does not fit its model."""
    if protocol == "anthropic":
        return Reply(status=400, message="prompt is too long: 250000 tokens > 200000 maximum")
    if protocol == "google":
        return Reply(status=400, message="The input token count exceeds the maximum number of tokens allowed.")
    return Reply(
        status=400,
        code="context_length_exceeded",
        message="This model's maximum context length is 128000 tokens. However, your messages are longer.",
    )


def verdict(rating: Any) -> Reply:
    """A judge's verdict."""
    return Reply(json.dumps({"rationale": "because", "rating": rating}))
