"""Define the log contract: what tasks and scorers write into a log, and what analysis reads from it.

Task names, metadata keys, vote fields, reasons and sample ids are written here and nowhere else. Names are never
changed: logs of earlier versions are read by them. Metadata classes are used through Inspect's `metadata_as`; a key
that a version did not write yet has a default.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from thoughttrace.core.reaction_verdict import Cause, ReplyVerdict

# ---- thoughts

Kind = Literal["reason", "reaction"]
"""A reason stands on a user's message, a reaction on an assistant's."""

TYPES: dict[Kind, tuple[str, ...]] = {
    "reason": (
        "task_motivation",
        "task_continuation",
        "context_grounding_and_constraints",
        "content_expectation",
        "social_and_others",
        "style_expectation",
        "task_reorientation",
    ),
    "reaction": (
        "explicit_affirmation",
        "content_relevance",
        "presentation_style",
        "scope_fit",
        "partial_satisfaction",
    ),
}
"""The types (labels) of the release; an LLM gave them, so they group thoughts but are not gold."""

DISSATISFIED = ("content_relevance", "presentation_style", "scope_fit")
"""The types of reactions that hold something against a reply. Partial satisfaction, which found it helpful, is none."""

# ---- what a run may vary

Context = Literal["message", "history", "lookahead", "profile"]
"""Each shows more than the one before: the annotated message; everything up to it; the next message too; the survey
and task description too."""

ThoughtContext = Literal["thought", "message", "history"]
"""What a single thought is shown with: nothing; the message it is on; everything up to that message."""

Control = Literal["someone_else", "anyone", "typical", "parrot", "constant", "target", "reworded"]
"""Floors: another user's thought of the same type, of any type, the most typical one of the type, the annotated
message, one sentence for all. Ceilings: the target itself, and the target in other words, which a model writes."""

FLOORS: dict[Control, str] = {
    "constant": "nothing",
    "anyone": "other users' thoughts",
    "someone_else": "the type, and other users' thoughts of it",
    "typical": "the type, and other users' thoughts of it",
    "parrot": "the message",
}
"""What each floor knows, the one that knows least first."""
Given = Literal["place", "half"]
"""What `recall_note` shows of a note: where it stands, or its first half."""
NoteSource = Literal["data", "invented"]
"""Whether `recall_note` asks for a note of the data, or for an invented one, which no model can know."""

FLOOR: Control = "someone_else"
"""The floor of the recovered share where there is no `constant`; it shows which words thoughts share by chance."""
CEILINGS: tuple[Control, ...] = ("reworded", "target")
"""The ceilings of the recovered share, the preferred one first."""

Option = Literal["target", "elsewhere", "other_user", "constant"]
"""What an option of `choose_thought` is: the note on the message; a note of the same user on another message; a note of
another user, of the same type; one sentence that is the same in every sample."""

Arm = Literal["none", "reasons", "reactions", "both", "shuffled", "inferred"]
"""What stands below the messages before a predicted one: nothing; the user's own reasons, reactions, or both; other
users' thoughts in their places; a model's inferences there."""

Signal = Literal["thought", "message", "none"]
"""What `rewrite_reply` shows beside the chat: what the user noted of the reply; their next message; nothing."""

ReplySelection = Literal["shared", "own"]
"""Which replies `rewrite_reply` rewrites: the same whatever the signal; or all that have the signal."""

After = Literal["thought", "reaction"]
"""Which messages are predicted: those after any thought on what is shown, or right after a reaction."""

JudgeScale = Literal["sampled", "expected"]
"""What a judge's vote counts as: the rating that it wrote, or its mean rating, by the probabilities of its tokens."""

KINDS: tuple[Kind, ...] = get_args(Kind)
CONTEXTS: tuple[Context, ...] = get_args(Context)
THOUGHT_CONTEXTS: tuple[ThoughtContext, ...] = get_args(ThoughtContext)
CONTROLS: tuple[Control, ...] = get_args(Control)
ARMS: tuple[Arm, ...] = get_args(Arm)
AFTERS: tuple[After, ...] = get_args(After)
SIGNALS: tuple[Signal, ...] = get_args(Signal)
REPLY_SELECTIONS: tuple[ReplySelection, ...] = get_args(ReplySelection)
OPTIONS: tuple[Option, ...] = get_args(Option)
GIVENS: tuple[Given, ...] = get_args(Given)

SAMPLE = "sample"
"""The name of the bundled data, which are invented."""
JUDGE_SCALES: tuple[JudgeScale, ...] = get_args(JudgeScale)

PairVerdict = Literal["A>>B", "A>B", "A=B", "B>A", "B>>A"]
"""What a judge says of two answers, in the terms of Arena-Hard-Auto: A is much better, better, about as good, and so
on."""

WINS: dict[PairVerdict, float] = {"A>>B": 1.0, "A>B": 1.0, "A=B": 0.5, "B>A": 0.0, "B>>A": 0.0}
"""What a verdict is worth for answer A: a win 1, a tie 0.5, a loss 0. For answer B it is one less that."""

LETTERS = "ABCD"
"""The names of options, in the order in which they are shown."""

# ---- reasons


class Unscored(StrEnum):
    """Why a sample, a form or a vote has no rating of its own; the values stand in logs."""

    REFUSAL = "refusal"
    """The evaluated model refused: rated lowest by rule."""
    NO_RESPONSE = "no_response"
    """The evaluated model, or a control, wrote nothing; a model is then rated lowest by rule."""
    TRUNCATED = "truncated"
    """max_tokens left no room for an answer, or cut a form off."""
    PROMPT_TOO_LONG = "prompt_too_long"
    NO_OUTPUT = "no_output"
    """A limit of the sample came before any reply."""
    NO_BASELINE_ANSWER = "no_baseline_answer"
    """The baseline's answer is empty or a refusal: a win by rule, or a tie where the model gave none either."""
    BASELINE_NOT_ASKED = "baseline_not_asked"
    """The baseline was never asked the prompt, which a limited run drew in place of one that it was."""
    NOT_ANSWERED = "not_answered"
    """The file of answers made elsewhere holds none for the sample."""
    NO_SIGNAL = "no_signal"
    """Of `rewrite_reply`: the next message shows no dissatisfaction, so nothing was rewritten."""
    NO_COMPLAINT = "no_complaint"
    """Of `rewrite_reply`: the user noted nothing against the reply, by which a rewrite could be judged."""
    FORM_REFUSED = "refused"
    FORM_EMPTY = "empty"
    FORM_UNPARSABLE = "unparsable"
    """The evaluated model did not fill in its form, also when asked once more."""
    JUDGE_REFUSED = "judge_refused"
    JUDGE_EMPTY = "judge_empty"
    JUDGE_UNPARSABLE = "judge_unparsable"
    JUDGE_TRUNCATED = "judge_truncated"
    """max_tokens, the judge's own or our bound, cut the verdict off, also when asked once more."""
    JUDGE_NO_PROBABILITIES = "judge_no_probabilities"
    """The judge wrote a rating, and the probabilities of its tokens do not tell how likely the others were."""
    JUDGE_FAILED = "judge_failed"
    """The judge's provider failed, after all retries."""
    NO_VALID_VOTE = "grader_failed"
    """No judge gave a valid vote, for different reasons."""
    ERROR = "error"
    """The sample failed; its error is in the log."""
    NOT_SCORED = "not scored"
    """The log holds no score of this sample."""
    NOT_IN_LOG = "not in the log"
    """The sample was planned, and the log does not hold it."""
    UNREADABLE = "cannot be read"
    """The log holds it, but that part of the file is damaged."""

    @classmethod
    def _missing_(cls, value: object) -> "Unscored | None":
        # What version 1-A of the tasks with forms wrote for NO_OUTPUT.
        return cls.NO_OUTPUT if value == "not_asked" else None


class NoConfidence(StrEnum):
    """Why there is no confidence though the model was asked how sure it is; the values stand in logs."""

    MISSING = "missing"
    """The reply has no such line."""
    UNREADABLE = "unreadable"
    """The line holds no whole number from 0 to 100, or several numbers."""
    TRUNCATED = "truncated"
    """max_tokens cut the reply off before the line."""


NO_ANSWER = (Unscored.REFUSAL, Unscored.NO_RESPONSE)
"""The evaluated model gave no answer: a result, rated lowest by rule and without a judge."""

NO_LABEL = (Unscored.FORM_REFUSED, Unscored.FORM_EMPTY, Unscored.FORM_UNPARSABLE)
"""The evaluated model named no label: wrong by rule where there is a right one."""

# ---- votes


_REMOVED = "Key removed from summary (> 1k)"
"""What Inspect puts in the place of a value that a sample's summary has no room for."""


def _known(value: Any) -> Any:
    return None if value == _REMOVED else value


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("null, which is neither there nor left out")
    return _known(value)


LARGEST = 2**31
"""Counts, and numbers that users gave, are below it; what is not is a slip, and too large for tables."""

Count = Annotated[int, Field(ge=0, lt=LARGEST)]
Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[int, Field(ge=0, le=100)]
Name = Annotated[str, Field(min_length=1)]


class Metadata(BaseModel):
    """What a log holds about a run, a sample or a score."""

    # Other versions of a task may write more. Strict: a "yes" that counts as true, or a true as 1, is a guess.
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, strict=True, allow_inf_nan=False)

    columns: ClassVar[tuple[str, ...]] = ()
    """What analysis reads of each sample: fields or properties."""

    def to_log(self) -> dict[str, Any]:
        """Return the metadata as it stands in a log: the fields that were given a value."""
        return self.model_dump(exclude_unset=True)


class Verdicts(Metadata):
    """What a judge says of a reaction, from which its rating follows by `reaction_rating`."""

    note_verdict: ReplyVerdict
    guess_verdict: ReplyVerdict
    cause: Cause


class RewriteVerdict(Metadata):
    """What a judge says of a rewritten reply; its rating is the first."""

    answers_complaint: int
    keeps_request: int


class Vote(Metadata):
    """One judge's vote on one answer."""

    judge: str
    rating: int | None
    """The rating that it wrote, also where its expected rating counts."""
    rationale: str | None
    # Until 0.1 it was called prompt_hash, as was the hash of the evaluated model's prompt.
    rubric_hash: str = Field(validation_alias=AliasChoices("rubric_hash", "prompt_hash"))
    replies: list[str]
    """Raw, in order: one, or two where the first was no valid form."""
    expected: float | None = None
    """On the scale `expected`: its mean rating, by the probabilities of its tokens."""
    probabilities: dict[str, dict[str, float]] | None = None
    """With `expected`: how likely each choice of each field of its verdict was, given what stands before it."""
    reason: Annotated[Unscored, Field(strict=False)] | None = None
    """Why there is no rating, or none that counts."""
    verdicts: Verdicts | RewriteVerdict | None = None
    """Of a reaction, unless a rubric that a user gave asked for the rating, and of a rewrite; else None."""
    error: str | None = None
    """With `JUDGE_FAILED`: the kind of error and its status code, without its text, which can quote a key."""

    @property
    def counted(self) -> float | None:
        """The rating that counts, on the scale of the run; None where the vote is missing."""
        return None if self.reason else self.rating if self.expected is None else self.expected


class JudgedScore(Metadata):
    """The metadata of a score that judges gave."""

    ratings: Annotated[dict[Name, list[int | None]] | None, BeforeValidator(_given)] = None
    """Each judge's ratings, one a repeat; None where a vote is missing; no rating where a rule rated. Not there where
    another scorer than ours wrote the score; None where they are read from a summary that has no room for them."""
    expected: Annotated[dict[Name, list[float | None]] | None, BeforeValidator(_given)] = None
    """On the scale `expected`: what counts in the place of `ratings`, in the same order. Otherwise not there."""
    rubric_hash: str | None = Field(default=None, validation_alias=AliasChoices("rubric_hash", "prompt_hash"))
    rubric_file: str | None = None
    """Name and checksum of the file with the rubric, where a user gave one: `mine.md (sha256 0123456789ab)`."""
    verdicts: Annotated[dict[Name, list[Verdicts | RewriteVerdict | None]] | None, BeforeValidator(_known)] = None
    """Of a reaction or a rewrite, each judge's, one a repeat; None for a vote that is missing."""
    votes: Annotated[list[Vote] | None, BeforeValidator(_known)] = None
    """None where they are read from a summary that has no room for them."""
    confidence: Percent | None = None
    """How probable the model said it is that its inference says what the user noted; None where it was not asked."""
    no_confidence: Annotated[NoConfidence, Field(strict=False)] | None = None
    """Why there is none, where it was asked."""

    @property
    def judge_scale(self) -> JudgeScale:
        """What the votes count as."""
        return "expected" if "expected" in self.model_fields_set else "sampled"

    @property
    def counted(self) -> Mapping[str, Sequence[float | None]] | None:
        """The ratings that count, on the scale of the score."""
        return self.expected if self.judge_scale == "expected" else self.ratings

    @property
    def ratings_removed(self) -> bool:
        """Whether the score has ratings, and the summary that it is read from has no room for those that count."""
        return self.counted is None and "ratings" in self.model_fields_set

    @property
    def verdicts_removed(self) -> bool:
        """Whether the score has verdicts, and the summary that it is read from has no room for them."""
        return self.verdicts is None and "verdicts" in self.model_fields_set


class Style(Metadata):
    """How long an answer is, and how much Markdown it has outside of fenced code."""

    words: Count
    """Separated by white space."""
    headers: Count
    lists: Count
    """Items of lists, numbered or not."""
    bold: Count
    """Passages in bold."""


class Comparison(Metadata):
    """One judge's verdict on the model's and the baseline's answer, in one order."""

    judge: str
    shown_first: bool
    """Whether the model's answer was A; otherwise the baseline's was."""
    verdict: PairVerdict | None
    rationale: str | None
    rubric_hash: str
    replies: list[str]
    """Raw, in order: one, or two where the first was no valid form."""
    reason: Annotated[Unscored, Field(strict=False)] | None = None
    """Why there is no verdict."""
    error: str | None = None
    """As in `Vote`."""


class WinScore(JudgedScore):
    """The metadata of a score of `arena`."""

    pair_verdicts: Annotated[dict[Name, list[PairVerdict | None]] | None, BeforeValidator(_given)] = None
    """Each judge's verdicts: the model's answer shown as A, then as B; None where one is missing. No verdict where a
    rule decided. None where they are read from a summary that has no room for them."""
    comparisons: Annotated[list[Comparison] | None, BeforeValidator(_known)] = None
    """None where they are read from a summary that has no room for them."""
    style: Annotated[Style | None, BeforeValidator(_known)] = None
    """Of the model's answer."""
    baseline_style: Annotated[Style | None, BeforeValidator(_known)] = None
    """Of the baseline's answer."""

    @property
    def counted(self) -> Mapping[str, Sequence[float | None]] | None:
        """What each judge's verdicts are worth for the model, in their order; None for both where one is missing.

        A verdict in one order alone holds the judge's preference for a place.
        """
        if self.pair_verdicts is None:
            return None
        return {
            judge: [
                None if verdict is None or None in verdicts else win_value(verdict, shown_first=n == 0)
                for n, verdict in enumerate(verdicts)
            ]
            for judge, verdicts in self.pair_verdicts.items()
        }

    @property
    def ratings_removed(self) -> bool:
        """Whether the score has verdicts, and the summary that it is read from has no room for them."""
        return self.pair_verdicts is None and "pair_verdicts" in self.model_fields_set


def win_value(verdict: PairVerdict, shown_first: bool) -> float:
    """Return what a verdict is worth for the model: 1 for a win, 0.5 for a tie, 0 for a loss.

    Args:
        verdict: A judge's verdict.
        shown_first: Whether the model's answer was A.
    """
    return WINS[verdict] if shown_first else 1 - WINS[verdict]


class ProbeScore(Metadata):
    """The metadata of a score of `judge_agreement`: how alike inference and note look to who understands neither.

    All are None in logs written before there were such keys.
    """

    inference_words: Count | None = None
    """Words of the inference."""
    word_overlap: Share | None = None
    """Words that inference and note share, of all words in either (Jaccard); of several notes the nearest."""
    cosine: Annotated[float, Field(ge=-1.000001, le=1.000001)] | None = None
    """Of the embeddings of inference and nearest note; None also where the extra `similarity` was not installed."""


class StatedScore(Metadata):
    """The metadata of a score of `predict_satisfaction`."""

    percent: Percent | None = None
    """How probable the model said it is that the user was dissatisfied; None where it said nothing."""


class RecallScore(Metadata):
    """The metadata of a score of `recall_note`, whose value is the share of the note that was recalled, 0 to 1."""

    others: Share = 0.0
    """The share of other users' notes that the same answer has in it: the mean over them."""
    run: Count = 0
    """Words of the longest run that the answer shares with the note."""


class RewriteScore(Metadata):
    """What is known of a rewrite without a judge, in the metadata of its score."""

    words: Count = 0
    """Words of the rewrite; 0 where there is none."""
    unchanged: bool = False
    """Whether it is the original reply, white space aside."""
    declined: bool = False
    """Whether it refuses in plain words to do what was asked, where the original reply did not."""


# ---- metadata of runs


class RunMetadata(Metadata):
    """The metadata of a task: what its numbers rest on. Each task sets the fields that it has."""

    data: str = "unknown"
    data_revision: str = "unknown"
    data_content: str = "unknown"
    """The checksum of the conversations; a Hub commit in `data_revision` is only the server's word for it."""
    data_skipped: list[str] | None = None
    """Lines of the data that could not be used."""
    prompt_hash: str = "unknown"
    """Of everything fixed that the evaluated model is told."""
    prompt_file: str | None = None
    """Name and checksum of the file with the prompt, where a user gave one."""
    thoughttrace: str = "unknown"
    """The version of this package."""

    kind: Kind | None = None
    context: str | None = None
    """A `Context`, a `ThoughtContext`, or what is `Given`."""
    max_context_words: Annotated[int, Field(ge=1)] | None = None
    control: str | None = None
    system: str | None = None
    """Of answers made elsewhere: what gave them, in the place of the evaluated model's name."""
    answers_file: str | None = None
    """Of answers made elsewhere: name and checksum of their file."""
    person: bool = False
    """Of answers made elsewhere: whether a person gave them, as `thoughttrace guess` wrote down."""
    confidence: bool = False
    """Whether the evaluated model is asked how sure it is of its inference."""
    subset: str | None = None
    """The subset of a protocol whose samples the run took, such as `mini-v1`."""
    subset_sha256: str | None = None
    """Checksum of the subset's manifest."""
    subset_samples: Count | None = None
    """How many samples of this kind the manifest has."""
    survey_answers_sent: bool = False
    unknown_labels: dict[str, int] | None = None

    arm: str | None = None
    inferred_by: str | None = None
    inferred_kinds: list[Kind] | None = None
    inferred_logs: list[str] | None = None
    after: str | None = None
    min_quality: float | None = None

    baseline: bool = False

    options_seed: int | None = None
    """Of `choose_thought`: the seed of its options and of their order."""
    without_options: Count | None = None
    """Of `choose_thought`: thoughts that are no samples, for no other note could stand beside them."""

    comparison_seed: int | None = None
    """Of `recall_note`: the seed by which other users' notes of equal fit are chosen."""
    without_comparison: Count | None = None
    """Of `recall_note`: thoughts that are no samples, for no other user's note could be compared, or there is no second
    half. Of `arena`: prompts that are no samples, for the baseline could not answer them."""

    against: str | None = None
    """Of `arena`: what gave the baseline's answers; None of a run that only makes answers."""
    against_answers: str | None = None
    """Of `arena`: the checksum of the baseline's answers."""

    signal: str | None = None
    """Of `rewrite_reply`: what was shown, a `Signal`."""
    reply_selection: str | None = None
    """Of `rewrite_reply`: which replies were rewritten, in a few words; the same for all signals."""

    families: list[str] | None = None
    rubric_file: str | None = None
    """Of `judge_agreement`: name and checksum of the file with the rubric, where a user gave one."""
    judge_message: bool = True
    probes_hash: str = "unknown"
    judge_scale: JudgeScale = "sampled"
    """Only where the evaluated model is the judge: elsewhere each score has its own."""
    rubric_hash: dict[str, str] = Field(default_factory=dict)
    """Of each kind; only where the evaluated model is the judge."""


# ---- metadata of samples

BlockEnds = Annotated[list[int], BeforeValidator(lambda value: [] if value == _REMOVED else value)]
"""After how many characters of the user message's text each of its blocks ends, rising; the last is its length.

Empty in logs written before there was such a key, and where a summary has no room for it."""


class SampleMetadata(Metadata):
    """The metadata of every sample that is cut from a conversation."""

    user: Name
    conversation: Name


class ControlMetadata(Metadata):
    """What a control, a baseline, a rule or another system answered in the evaluated model's place."""

    recited: str | None = None
    """The answer, word for word."""
    donor: str | None = None
    """The user whose thought was drawn for the answer, another one in each epoch; None where nothing was drawn."""
    reworded: bool = False
    """Whether the model was shown the target, to say it in other words."""
    system: str | None = None
    """What gave the answer, where it was made elsewhere; the answer is the sample's output, as a model's is."""
    person: bool = False
    """Whether a person gave it; False in logs written before there was such a key."""


class MessageMetadata(SampleMetadata):
    """The metadata of a sample about one message of a conversation."""

    message_index: Count
    """0-based."""
    position: Share = 0.0
    """0 the first message of its conversation, 1 the last."""
    context: str = "history"
    messages_left_out: Count = 0
    """Messages dropped from the front because the context would have been longer than allowed."""


class PromptMetadata(MessageMetadata):
    """The metadata of a sample whose prompt shows the messages of a conversation."""

    messages_shown: Count = 0
    prompts_alike: Count = 1
    """Samples of the run whose prompts begin like this one's, itself included."""
    arm: str | None = None
    marker: str | None = None
    """With `arm`: the marker, which names the thoughts that stand between the messages."""
    block_ends: BlockEnds = Field(default_factory=list)


Answer = Annotated[int | None, BeforeValidator(lambda v: None if type(v) is int and not -LARGEST < v < LARGEST else v)]
"""A number that a user gave; None where it is a slip, which older versions wrote down as it was."""


class Survey(Metadata):
    """A user's survey answers."""

    model_config = ConfigDict(extra="allow")

    age: Answer = None
    """In years."""
    gender: str | None = None
    """In the user's words."""
    education: str | None = None
    frequency: Answer = None
    """How often the user uses AI, 1 (rarely) to 5 (daily)."""


class InferenceMetadata(PromptMetadata, ControlMetadata):
    """The metadata of a sample of `infer_reason` and `infer_reaction`."""

    columns = (
        "conversation",
        "message_index",
        "position",
        "type",
        "assistant_model",
        "hindsight",
        "followed",
        "after_reply",
        "thoughts",
        "target_words",
        "donor",
        "age",
        "gender",
        "education",
        "frequency",
    )

    kind: Kind
    type: str = ""
    """The types of its thoughts, joined by " + "."""
    types: list[str] = Field(default_factory=list)
    thoughts: Count = 1
    target_words: Count = 0
    hindsight: bool | None = None
    """Whether a thought was written after the next user message; None if not known."""
    followed: bool | None = None
    """Whether a user message follows; None in logs written before there was such a key."""
    after_reply: bool | None = None
    """Whether a reason was written after the reply to its message; None if not known, and of a reaction."""
    assistant_model: str = "unknown"
    message: str = ""
    """The annotated message."""
    asks_confidence: bool = False
    """Whether the reply shall end with a line on how sure the model is, which is no part of its inference."""
    survey: Annotated[Survey | None, BeforeValidator(_known)] = None

    @property
    def age(self) -> int | None:
        """The user's age in years; None where it is not known."""
        return self.survey.age if self.survey else None

    @property
    def gender(self) -> str | None:
        """The user's gender, in their words."""
        return self.survey.gender if self.survey else None

    @property
    def education(self) -> str | None:
        """The user's education."""
        return self.survey.education if self.survey else None

    @property
    def frequency(self) -> int | None:
        """How often the user uses AI, 1 (rarely) to 5 (daily)."""
        return self.survey.frequency if self.survey else None


class NextMessageMetadata(PromptMetadata):
    """The metadata of a sample of `predict_message`."""

    columns = ("conversation", "message_index", "hindsight", "note_words", "not_inferred")

    kind: Literal["message"] = "message"
    """In the place of a kind of thought."""
    notes_shown: Count = 0
    note_words: Count = 0
    not_inferred: Count = 0
    """Messages shown that carry a thought but no inference."""
    thoughts_before: Count = 0
    hindsight: bool | None = None
    """Whether a thought on what is shown was written after the message; None if not known."""
    target_words: Count = 0
    assistant_model: str = "unknown"
    reply: str = ""
    """The reply that the message answers."""
    quality: float | None = None
    """How informative the reaction right before the message is, 1–5."""


class RelationMetadata(PromptMetadata):
    """The metadata of a sample of `relate_messages`."""

    columns = ("conversation", "message_index", "position", "first", "turn")

    words: Count = 0
    first: bool = False
    """Whether it is the user's first message, whose label is known."""
    turn: Count | None = None
    """Which of the user's messages in the conversation it is, from 1; None in logs written before it was counted."""


class SatisfactionMetadata(PromptMetadata):
    """The metadata of a sample of `predict_satisfaction`."""

    columns = ("conversation", "message_index", "type", "position", "dissatisfied")

    type: str = ""
    """The types of the reactions to the reply, joined by " + "."""
    dissatisfied: bool
    """Whether one of them is among `DISSATISFIED`."""


class RewriteMetadata(PromptMetadata):
    """The metadata of a sample of `rewrite_reply`, whose targets are the notes on the reply."""

    columns = (
        "conversation",
        "message_index",
        "type",
        "position",
        "hindsight",
        "target_words",
        "reply_words",
        "message_dissatisfied",
    )

    type: str = ""
    """The types of these notes, joined by " + "; empty where there is none."""
    hindsight: bool | None = None
    """Whether the notes were written after the next user message; None if not known."""
    target_words: Count = 0
    """Words of these notes."""
    request: str = ""
    """The user's message that the reply answers."""
    reply: str = ""
    """The original reply."""
    reply_words: Count = 0
    assistant_model: str = "unknown"
    next_message: str = ""
    """The user's message after the reply, where whether it shows dissatisfaction is asked; else empty."""
    message_dissatisfied: Literal["yes", "no"] | None = None
    """Whether it does, as a judge says; None where no judge was asked, or none said."""
    decided_by: str | None = None
    """The judge that was asked."""
    undecided: Annotated[Unscored, Field(strict=False)] | None = None
    """Why it did not say."""


class ThoughtMetadata(SampleMetadata):
    """The metadata of a sample about one thought."""

    columns: ClassVar[tuple[str, ...]] = ("conversation", "message_index", "type", "position", "target_words")

    message_index: Count
    kind: Kind
    thought_index: Count
    """Among the thoughts on its message, from 1."""
    type: str = ""
    position: Share = 0.0
    target_words: Count = 0
    block_ends: BlockEnds = Field(default_factory=list)


class RecallMetadata(ThoughtMetadata):
    """The metadata of a sample of `recall_note`."""

    columns = (*ThoughtMetadata.columns, "source")

    source: NoteSource
    others: Annotated[list[str], BeforeValidator(lambda value: [] if value == _REMOVED else value)]
    """What the answer is compared with: of other users' notes the part that was asked for. Empty in a summary that has
    no room for it."""
    shown: str = ""
    """The first half of the note, where it was given."""


class ChoiceMetadata(PromptMetadata):
    """The metadata of a sample of `choose_thought`."""

    columns = ("conversation", "message_index", "type", "position", "target_words", "option_names")

    kind: Kind
    thought_index: Count
    """Among the thoughts on its message, from 1."""
    type: str = ""
    target_words: Count = 0
    options: Annotated[list[Option], Field(min_length=2, max_length=len(LETTERS))]
    """What each option is, in the order of the letters."""

    @property
    def option_names(self) -> str:
        """What each option is, separated by spaces."""
        return " ".join(self.options)


class TopicMetadata(SampleMetadata):
    """The metadata of a sample of `label_topic`."""

    columns = ("conversation",)

    messages: Count = 0
    words: Count = 0
    messages_left_out: Count = 0
    block_ends: BlockEnds = Field(default_factory=list)


class ProbeMetadata(Metadata):
    """The metadata of a sample of `judge_agreement`."""

    columns = ("family", "kind", "ladder", "low", "high")

    family: str
    kind: Kind
    ladder: str
    """The target that several probes share."""
    low: int
    high: int
    """The lowest and highest right rating."""
    inference: str = ""


class PairMetadata(Metadata):
    """The metadata of a sample of `calibrate_judge`."""

    people: float
    """People's mean rating, on the judge's scale, 1–5."""
    cluster: Name
    """Names what several pairs are about."""


class ArenaMetadata(Metadata):
    """The metadata of a sample of `arena`."""

    columns = ("category", "subcategory")

    category: str = ""
    subcategory: str = ""
    baseline_asked: bool = True
    """Whether the baseline was asked the prompt; true where there is no baseline."""


# ---- tasks


@dataclass(frozen=True)
class TaskSpec:
    """A task as its logs show it."""

    name: str
    score: str
    """The score that analysis reads; a rescored log also holds this name with a number appended (`agreement1`)."""
    scale: tuple[float, float]
    """The lowest and highest value of the score."""
    judged: bool
    """Whether judges rate the answers; otherwise the evaluated model fills in a form."""
    unit: Literal["message", "thought", "conversation", "probe", "prompt"]
    """What one sample is about."""
    sample: type[Metadata]
    """The metadata of its samples."""


TASKS: dict[str, TaskSpec] = {
    spec.name: spec
    for spec in (
        TaskSpec("infer_reason", "agreement", (1, 5), True, "message", InferenceMetadata),
        TaskSpec("infer_reaction", "agreement", (1, 5), True, "message", InferenceMetadata),
        TaskSpec("predict_message", "message_similarity", (0, 100), True, "message", NextMessageMetadata),
        TaskSpec("judge_agreement", "probe", (1, 5), False, "probe", ProbeMetadata),
        TaskSpec("classify_thought", "type_match", (0, 1), False, "thought", ThoughtMetadata),
        TaskSpec("cover_thought", "rating", (1, 5), False, "thought", ThoughtMetadata),
        TaskSpec("rate_thought", "rating", (1, 5), False, "thought", ThoughtMetadata),
        TaskSpec("relate_messages", "relation", (0, 1), False, "message", RelationMetadata),
        TaskSpec("label_topic", "topic", (0, 1), False, "conversation", TopicMetadata),
        TaskSpec("choose_thought", "choice", (0, 1), False, "thought", ChoiceMetadata),
        TaskSpec("predict_satisfaction", "satisfaction", (0, 1), False, "message", SatisfactionMetadata),
        TaskSpec("recall_note", "recall", (0, 1), False, "thought", RecallMetadata),
        TaskSpec("arena", "win", (0, 1), True, "prompt", ArenaMetadata),
        TaskSpec("rewrite_reply", "rewrite", (1, 5), True, "message", RewriteMetadata),
    )
}
"""Every task, in the order in which reports show them."""

INFER: dict[Kind, TaskSpec] = {"reason": TASKS["infer_reason"], "reaction": TASKS["infer_reaction"]}
PREDICT, PROBE, CLASSIFY, COVER, RATE, RELATE, TOPIC, CHOOSE, SATISFACTION, RECALL = list(TASKS.values())[2:12]
ARENA, REWRITE = list(TASKS.values())[12:]

COMPLAINT, REQUEST = "answers_complaint", "keeps_request"
"""The values of the score of `rewrite_reply`: by what the user noted, and by what they asked for."""

OWN = "thoughttrace/"
"""What the registered names of our tasks, solvers and scorers begin with in a log."""

JUDGE_ROLE = "grader"
"""The model role, of Inspect's, that judges are bound to."""

SIMILARITY = "similarity"
"""The second score of the judged tasks: a cosine of embeddings, −1 to 1."""

# ---- sample ids


class MessagePlace(NamedTuple):
    """Where a message stands."""

    conversation: str
    message_index: int


_PLACE = re.compile(r"(?P<conversation>.+)/m(?P<index>\d+)/[a-z]+(?:/\d+)?")


def message_id(conversation: str, index: int, what: str) -> str:
    """Name the sample of a message, such as `user804_task2_conversation1/m05/reaction`.

    Args:
        conversation: The conversation's id.
        index: Position of the message, 0-based.
        what: A kind of thought, `message` (to be predicted), `relation`, `satisfaction` or `rewrite`.
    """
    return f"{conversation}/m{index:02}/{what}"


def thought_id(conversation: str, index: int, kind: Kind, number: int) -> str:
    """Name the sample of a thought, such as `user804_task2_conversation1/m05/reaction/1`.

    Args:
        conversation: The conversation's id.
        index: Position of the message it is on, 0-based.
        kind: The kind of thought.
        number: Its place among the thoughts on the message, from 1.
    """
    return f"{message_id(conversation, index, kind)}/{number}"


def conversation_id(conversation: str) -> str:
    """Name the sample of a conversation."""
    return f"{conversation}/topic"


def place_of(sample_id: str) -> MessagePlace:
    """Return the conversation and message that the sample of a message or thought is about.

    Raises:
        ValueError: It is no such id.
    """
    found = _PLACE.fullmatch(sample_id)
    if not found:
        raise ValueError(f"{sample_id!r} names no message")
    return MessagePlace(found["conversation"], int(found["index"]))


def task_of(name: str) -> TaskSpec | None:
    """Return the task of a log, or None if it is not ours.

    Args:
        name: As the log writes it: with our package's name, `thoughttrace/infer_reason`, or, where it was run from its
            file, with none.
    """
    return TASKS.get(name.removeprefix(OWN))


def answered_metadata(metadata: Mapping[str, Any]) -> InferenceMetadata | NextMessageMetadata:
    """Read the metadata of a sample of a judged task, whichever it is."""
    model = NextMessageMetadata if metadata.get("kind") == "message" else InferenceMetadata
    return model.model_validate(metadata)


def run_metadata(metadata: Mapping[str, Any] | None, arguments: Mapping[str, Any] | None = None) -> RunMetadata:
    """Read the metadata of a task from a log's header.

    Args:
        metadata: The task's metadata in the log.
        arguments: The arguments of the task in the log, for what older versions wrote into no metadata.
    """
    of_arguments = {"max_context_words": (arguments or {}).get("max_context_words")}
    return RunMetadata.model_validate(of_arguments | dict(metadata or {}))
