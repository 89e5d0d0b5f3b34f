"""Define a result: what was measured of one system, as one JSON file that a leaderboard can be made of.

A result holds numbers, names and checksums, and no word of a conversation, a thought or an inference.
"""

import datetime
import hashlib
import json
import math
import re
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from thoughttrace.core.cutoffs import Contamination
from thoughttrace.core.record import KINDS, SAMPLE, Kind

Sort = Literal["model", "person", "made elsewhere", "control"]

SORTS: dict[Sort, str] = {
    "model": "a model that Inspect asked",
    "person": "a person",
    "made elsewhere": "answers that were made elsewhere",
    "control": "a control",
}
"""What gave the answers, in words."""

Qualification = Literal["qualified", "not qualified", "untested"]
"""Whether a judge may rate one kind of thought, by its card; `untested` where there is none of it so configured."""


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
"""None for what is not known: JSON has no NaN."""
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Agreement = Annotated[Annotated[float, Field(ge=1, le=5)] | None, BeforeValidator(_finite)]
Line = Annotated[str, Field(max_length=300, pattern=r"^[^\n\r]*$")]
"""One line; a result has no place for running text."""
Names = list[Line]


class _Part(BaseModel):
    # Strict: a "2.5" that counts as a number, or a key that nobody reads, is a guess about somebody's result.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Estimate(_Part):
    """An estimate with the limits of its 95 % interval."""

    value: Number
    lower: Number
    upper: Number
    note: Line = ""
    """Why there is no interval, where there is none."""

    @model_validator(mode="after")
    def _in_order(self) -> "Estimate":
        known = [end for end in (self.lower, self.value, self.upper) if end is not None]
        if known != sorted(known) or (self.lower is None) != (self.upper is None):
            raise ValueError("lower, value and upper must rise, and lower and upper stand together")
        return self


class Mean(Estimate):
    """The mean agreement, 1 to 5, clustered by user."""

    value: Agreement
    lower: Agreement
    upper: Agreement
    standard_error: Annotated[Annotated[float, Field(ge=0)] | None, BeforeValidator(_finite)]
    """CR2 by user; null where all ratings are at one end of the scale, or there is no interval."""
    degrees_of_freedom: Annotated[Annotated[float, Field(gt=0)] | None, BeforeValidator(_finite)]
    """Bell and McCaffrey's."""


class PanelMean(_Part):
    """The mean agreement as some of the judges rated it: two systems are compared by the judges that rated both."""

    judges: Annotated[Names, Field(min_length=1)]
    """None of them is the system itself, and each gave a vote."""
    mean: Mean
    """Over the replies that all of these judges rated, and those that a rule rated."""
    samples: Count
    """Of these replies."""
    replies: Count


class ControlMean(_Part):
    """What a control got by the same judges and rubric: where the scale begins and ends."""

    control: Line
    mean: Estimate
    samples: Count


class RecoveredShare(_Part):
    """(agreement − floor) / (ceiling − floor), over the samples that all three have."""

    share: Estimate
    floor_is: Line
    floor: Agreement
    ceiling_is: Line
    ceiling: Agreement
    samples: Count


class ReactionVerdicts(_Part):
    """What the judges' votes say of the verdicts and causes of reactions."""

    balanced_accuracy: Estimate
    """Mean over pleased, mixed and displeased notes of the share of guesses with the same verdict, 0 to 1."""
    cause: Estimate
    """Of the notes that name a cause, the share whose guess names it or a part of it, 0 to 1."""
    votes: Count


class Confidence(_Part):
    """How well the confidence that the system stated foretells an agreement of 4 or more."""

    auroc: Estimate
    overstated: Estimate
    """Mean confidence less the share of right inferences, −1 to 1."""
    calibration_error: Number
    """Expected calibration error, 0 to 1."""
    right: Estimate
    """Share of right inferences, 0 to 1."""
    replies: Count
    """Rated replies that state a confidence."""


class Judge(_Part):
    """One judge of the panel."""

    name: Line
    config: Line
    """What differs from the defaults, such as "effort high"; empty for the defaults."""
    itself: bool
    """Whether it is the system under test."""
    votes_asked: Count
    """Votes on replies that it was given to rate."""
    votes_lost: Count
    """Of these, those that gave no rating."""
    qualification: Qualification
    why: Annotated[str, Field(max_length=1000)] = ""
    """Why it is not qualified, or not tested."""
    right: Estimate | None = None
    """On its card: share of right ratings of this kind, the mean over families, 0 to 1."""
    attacks: Number = None
    """On its card: share of attacks that succeeded."""
    order_broken: Number = None
    """On its card: share of the pairs whose better probe is not rated higher."""
    card: Line = ""
    """The log of its card."""


class Usage(_Part):
    """Tokens and their cost."""

    input_tokens: Number
    output_tokens: Number
    cost: Number
    """US dollars; null where no price is known."""


class KindResult(_Part):
    """What was measured of one kind of thought."""

    task: Line
    task_version: Line
    context: Line
    """How much of the conversation was shown; a control reads none."""
    context_words: Line
    """The most words of it; empty for all."""
    prompt_hash: Line
    prompt_file: Line
    """Name and checksum of the file with the prompt; empty for the built-in one."""
    rubric_hash: Line
    """Also of whether the judges are shown the annotated message."""
    rubric_file: Line
    """Name and checksum of the file with the rubric; empty for the built-in one."""
    judge_scale: Line
    """What a vote counts as: `sampled`, the rating that was written, or `expected`, its mean by its probabilities."""
    judges: Annotated[list[Judge], Field(min_length=1)]
    mean: Mean
    by_judges: list[PanelMean]
    """The mean by each set of the judges that are not the system itself and gave a vote; of more than four such judges,
    by each alone and by all."""
    samples: Count
    """Rated; each is one message."""
    thoughts: Count
    """On these messages."""
    users: Count
    samples_planned: Count
    planned_sha256: Line
    """Checksum of the planned samples' ids: means over other samples do not compare."""
    subset: Line
    """The manifest that selected the samples, such as `mini-v1`; empty for none."""
    replies: Count
    """Planned: samples × epochs."""
    replies_rated: Count
    coverage: Share
    """replies_rated / replies."""
    refused_or_empty: Count
    """Replies that were no answer, rated 1 by rule."""
    missing: Line
    """How many replies have no rating, by reason."""
    votes: Count
    """Planned."""
    votes_lost: Count
    mean_if_missing_1: Agreement
    mean_if_missing_5: Agreement
    """The mean if every lost vote were the lowest, or the highest, rating."""
    ratings: Annotated[list[Count], Field(min_length=5, max_length=5)]
    """Replies whose rating is nearest to 1, 2, 3, 4 and 5."""
    controls: list[ControlMean]
    recovered: RecoveredShare | None
    """Null without a floor and a ceiling in the same logs."""
    verdicts: ReactionVerdicts | None
    """Of reactions."""
    confidence: Confidence | None
    """Where it was asked."""
    answers_equal_to_note: Count
    """Answers that are the note itself, word for word."""
    system_usage: Usage
    judge_usage: Usage
    date: Line
    logs: Annotated[Names, Field(min_length=1)]

    @property
    def lost_votes(self) -> str:
        """How many votes each judge lost of those that it was asked for; empty for none."""
        lost = [judge for judge in self.judges if judge.votes_lost]
        return ", ".join(f"{judge.name} {judge.votes_lost:,} of {judge.votes_asked:,} votes" for judge in lost)

    @property
    def self_judged(self) -> bool:
        """Whether the system is among the judges of its own answers."""
        return any(judge.itself for judge in self.judges)


class Choice(_Part):
    """How often the system chose the user's own note among several; no judge is involved."""

    kind: Kind
    context: Line
    accuracy: Estimate
    chance: Number
    samples: Count
    users: Count
    task_version: Line
    data_revision: Line


class Satisfaction(_Part):
    """How well the system told dissatisfied users; no judge is involved."""

    context: Line
    balanced_accuracy: Estimate
    auroc: Estimate
    samples: Count
    users: Count
    task_version: Line
    data_revision: Line


class System(_Part):
    """What gave the answers, and what it was shown."""

    name: Annotated[Line, Field(min_length=1)]
    """A model as Inspect names it, `control NAME`, or the name of what gave answers made elsewhere."""
    sort: Sort
    effort: Line
    """Reasoning effort or budget; empty for the default."""
    generation: Line
    """What else changes its answers, such as "temperature 0.7"; empty for the defaults."""
    solver: Line
    """What replaced the task's own solver; else empty."""
    confidence_asked: bool
    answers_file: Line
    """Of answers made elsewhere: name and checksum of their file; else empty."""
    cutoff: Line
    """Up to when its training goes, or `unknown`; empty for people and controls."""
    contamination: Contamination | None
    """Whether its training can have held ThoughtTrace: `before` and `after` are where it ends, seen from the release;
    `unknown`; or its makers say that it was `trained on it`. Null for people and controls."""


class Data(_Part):
    """What was measured on."""

    name: Line
    """`sample` is bundled and invented."""
    revision: Line
    content: Line
    """Checksum of the conversations: a revision is only a server's word for them."""


class Deviation(_Part):
    """One point in which a run does not follow a protocol."""

    name: Line
    asked: Annotated[str, Field(max_length=1000)]
    found: Annotated[str, Field(max_length=1000)]


class ProtocolMark(_Part):
    """Whether the runs follow a protocol."""

    name: Line
    subset: Line
    followed: bool
    deviations: list[Deviation]

    @model_validator(mode="after")
    def _says_one_thing(self) -> "ProtocolMark":
        if self.followed == bool(self.deviations):
            raise ValueError("followed must be true without deviations and false with any")
        return self


class Result(_Part):
    """What was measured of one system in one context by one panel of judges."""

    record_version: Literal[1] = 1
    """Of this form. It rises when a field changes its meaning; older results stay readable."""
    system: System
    data: Data
    reason: KindResult | None
    reaction: KindResult | None
    choose_thought: list[Choice]
    """Where logs of this task and system were given."""
    predict_satisfaction: list[Satisfaction]
    protocol: ProtocolMark | None
    """Null where none was checked."""
    date: Line
    """When the newest of its runs was started, ISO 8601."""
    package_version: Line
    inspect_version: Line
    commit: Line
    """The git commit of the folder that the runs were started in, `+changes` where it was not clean; empty for none."""
    submitted_by: Line
    """Who sent the result in; empty on a card that nobody has sent in."""
    self_reported: bool
    """Whether only who sent it in has run it."""

    @model_validator(mode="after")
    def _has_a_kind(self) -> "Result":
        if self.reason is None and self.reaction is None:
            raise ValueError("needs reason, reaction or both")
        datetime.datetime.fromisoformat(self.date)
        return self

    @property
    def kinds(self) -> dict[Kind, KindResult]:
        """What was measured, by kind of thought."""
        return {kind: found for kind in KINDS if (found := getattr(self, kind))}

    @property
    def invented(self) -> bool:
        """Whether the data are the bundled, invented ones."""
        return self.data.name == SAMPLE

    @cached_property
    def stem(self) -> str:
        """The name of its files: date, system, and a checksum of what was run and who sent it in; always the same."""
        run = {
            "submitted_by": self.submitted_by,
            "system": self.system.model_dump(exclude={"cutoff", "contamination"}),
            "data": self.data.model_dump(exclude={"content"}),
            "kinds": {
                kind: [
                    [
                        part.task,
                        part.task_version,
                        part.context,
                        part.context_words,
                        part.prompt_hash,
                        part.rubric_hash,
                    ],
                    [part.judge_scale, [[judge.name, judge.config] for judge in part.judges]],
                    sorted(part.logs),
                ]
                for kind, part in self.kinds.items()
            },
        }
        checksum = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:8]
        name = re.sub("[^a-z0-9.]+", "-", self.system.name.lower()).strip("-.")[:60] or "system"
        return f"{self.date[:10]}_{name}_{checksum}"

    def to_json(self) -> str:
        """Give the text of its file."""
        return self.model_dump_json(indent=2) + "\n"
