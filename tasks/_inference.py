"""Make the samples of the two inference tasks, and the controls that answer them in a model's place."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import warn_once

from thoughttrace.core.errors import UserError, check_choice
from thoughttrace.core.record import (
    CONTEXTS,
    CONTROLS,
    INFER,
    SIMILARITY,
    Control,
    ControlMetadata,
    InferenceMetadata,
    Kind,
    RunMetadata,
)
from thoughttrace.datasets import controls
from thoughttrace.datasets.answers import Answers, check_answered, equals_a_note, read_answers
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.counts import census
from thoughttrace.datasets.prompt import block, marker
from thoughttrace.datasets.samples import record_to_sample
from thoughttrace.datasets.sampling import Item, select
from thoughttrace.datasets.sources import Source
from thoughttrace.datasets.subset import find_manifest, take
from thoughttrace.models.embedding import LocalEmbedder, require_embedder
from thoughttrace.models.prompt_cache import CacheOrdered, generate_cached
from thoughttrace.scorers.answer import normalise_thought
from thoughttrace.scorers.given_text import check_placeholders, check_plain, read_given_text
from thoughttrace.tasks._options import (
    AnswerOptions,
    DataOptions,
    ScoreColumn,
    dataset_of,
    is_retry,
    limit_of_command,
    prompt_hash,
    provenance,
    read_prompt,
    recite,
    viewer,
)

_logger = logging.getLogger(__name__)

REWORD = read_prompt("reword")
"""The instructions of the control `reworded`."""

_INSTRUCTIONS = read_prompt("infer")
_NEXT = read_prompt("infer_next")
"""What is added to the question where the person's next message is shown."""

# Both tasks have the same score.
VIEWER = viewer(
    "Agreement",
    ScoreColumn("Agreement, 1–5", INFER["reason"].score, scale=INFER["reason"].scale),
    ScoreColumn("Similarity", SIMILARITY),
)


def inference_samples(
    kind: Kind,
    context: str,
    control: str | None,
    prompt: str | None,
    confidence: bool,
    options: DataOptions,
    elsewhere: AnswerOptions,
) -> tuple[MemoryDataset, dict[str, Any], Solver]:
    """Make the samples of one kind of thought, and what answers them.

    Args:
        kind: The kind.
        context: How much of the conversation the model sees, a `Context`.
        control: The control that answers in the model's place, a `Control`; None for the model.
        prompt: The path of a prompt that is used in place of ours; None for ours.
        confidence: Whether the model is asked how sure it is.
        options: The data.
        elsewhere: The answers made elsewhere, which are given in the model's place.

    Returns:
        The samples, the run metadata, and the solver: the evaluated model, the control, or the answers made elsewhere.

    Raises:
        UserError: An argument or the data cannot be used.
    """
    shown = check_choice("context", context, CONTEXTS)
    answered_by = check_choice("control", control, CONTROLS) if control is not None else None
    _check_confidence(confidence, control, elsewhere)
    # Inspect parses `-T prompt=2026` to a number.
    ours = _INSTRUCTIONS, read_prompt(f"infer_{kind}"), _NEXT, None
    instructions, question, of_next, file = ours if prompt is None else _given_prompt(str(prompt))
    how_sure = ""
    if confidence:
        explained, how_sure = (part.strip() for part in _RULE.split(read_prompt("infer_confidence")))
        # In the question too: a small model heeds what it reads last, and its instructions hardly.
        instructions = f"{instructions}\n\n{explained}"
    source = options.open()
    items, of_subset = _select(source, kind, options)
    answer = _recite(answered_by, source.conversations, kind, options.seed)
    given = None
    if elsewhere.answers and elsewhere.system:
        given = read_answers(elsewhere.answers, elsewhere.system, shown, source.conversations)
    unknown = dict(census(source.conversations).unknown_labels)
    of_data = provenance(source)  # its checksum is of the conversations
    # A prompt repeats its conversation, once for each thought: free each conversation once its samples are made.
    source.conversations.clear()
    items.reverse()
    samples, recitals = [], {}
    while items:
        item = items.pop()
        followed = shown in ("lookahead", "profile") and item.conversation.next_message(item.message_index, "user")
        asked = " ".join(filter(None, (question, of_next if followed else "", how_sure)))
        sample = record_to_sample(*item, instructions, asked, shown, options.max_context_words)
        if confidence:
            marked = InferenceMetadata.model_construct(asks_confidence=True)
            sample.metadata = (sample.metadata or {}) | marked.to_log()
        if answer:
            recital = recitals[sample.id] = answer(item)
            recite(sample, *recital(1))
        if given:
            of_system = ControlMetadata(system=elsewhere.system, person=given.person)
            sample.metadata = (sample.metadata or {}) | of_system.to_log()
        samples.append(sample)
    if given:
        _check_given(given, samples[limit_of_command()], elsewhere)
    metadata = RunMetadata(
        kind=kind,
        control=answered_by,
        confidence=confidence,
        context=shown,
        max_context_words=options.max_context_words,
        survey_answers_sent=shown == "profile",  # to the evaluated model's provider
        unknown_labels=unknown,
        # The same in all contexts, which can be compared.
        prompt_hash=prompt_hash(instructions, question, of_next, how_sure),
        prompt_file=file,
        **of_subset,
        **of_data,
    ).to_log()
    solver = generate_cached()
    if given:
        metadata |= RunMetadata(system=elsewhere.system, answers_file=given.file, person=given.person).to_log()
        solver = give_answers(str(elsewhere.system), given.texts)
    elif answer:
        solver = recite_control(lambda sample_id, epoch: recitals[sample_id](epoch))
    elif answered_by:
        solver = reword_target()
    return dataset_of(samples, source, CacheOrdered), metadata, solver


def _select(source: Source, kind: Kind, options: DataOptions) -> tuple[list[Item], dict[str, Any]]:
    """Select the messages of a run; with a subset also the fields of `RunMetadata` that name it.

    Raises:
        UserError: An option is out of its range, nothing is left, or the subset cannot be taken from this data.
    """
    if options.subset is None:
        types, users, per_user = options.selected_types, options.users, options.per_user
        return select(source.conversations, kind, types, users, per_user, options.seed), {}
    manifest = find_manifest(source, options.data, options.subset)
    items = take(source, kind, manifest, options.seed)
    if len(items[limit_of_command()]) < len(items) and not is_retry():
        warn_once(
            _logger,
            f"subset={manifest.name}: --limit leaves some of its samples out; the run follows the protocol once the "
            "others have been run too.",
        )
    return items, {"subset": manifest.name, "subset_sha256": manifest.sha256, "subset_samples": len(items)}


def _check_confidence(confidence: bool, control: str | None, elsewhere: AnswerOptions) -> None:
    """Check that no more than one of confidence, control and answers made elsewhere is asked for.

    Raises:
        UserError: Several are, or the confidence is no truth value.
    """
    if not isinstance(confidence, bool):
        raise UserError(f"confidence={confidence}: must be true or false.")
    if control and confidence:
        raise UserError(f"confidence=true: control={control} is not sure of anything; leave confidence out.")
    if elsewhere.answers and (control or confidence):
        other = f"control={control}" if control else "confidence=true"
        raise UserError(f"{other}: is of a run that asks; answers={elsewhere.answers} were made elsewhere. Choose one.")


def _recite(
    control: Control | None, conversations: Sequence[Conversation], kind: Kind, seed: int
) -> Callable[[Item], controls.Recite] | None:
    """Prepare a control that needs no model; None where a model, or what was made elsewhere, answers."""
    if control == "typical":
        require_embedder("control=typical")
        return controls.recite_typical(conversations, kind, LocalEmbedder().embed)
    if control is None or control == "reworded":
        return None
    return controls.recite(control, conversations, kind, seed)


_RULE = re.compile(r"^---[ \t]*$", re.MULTILINE)


def _given_prompt(path: str) -> tuple[str, str, str, str | None]:
    """Return the instructions and the question of a file, nothing on what comes next, and its name and checksum.

    Raises:
        UserError: The file cannot be read or has not the two parts, or nothing can be filled in for a placeholder.
    """
    given, where = read_given_text("prompt", path), f"prompt={path}"
    instructions, *others = (part.strip() for part in _RULE.split(given.text))
    if len(others) != 1 or not instructions or not others[0]:
        raise UserError(
            f"{where}: must hold the instructions, one line ---, and the question (examples/prompt_reason.md does); it "
            f"has {len(others)} such line{'s' * (len(others) != 1)}."
        )
    check_plain(f"{where}, its instructions", instructions)
    check_placeholders(f"{where}, its question", others[0], ("marker", "message"))
    return instructions, others[0], "", given.file


@solver
def recite_control(draw: Callable[[int | str, int], controls.Recital] | None = None) -> Solver:
    """Answer with the text that `recite` wrote to the sample's metadata; no model is called.

    Args:
        draw: Gives the answer to a sample (its id) in a later epoch, written to the metadata too; None where it is
            always the same.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if draw and state.epoch > 1:
            recite(state, *draw(state.sample_id, state.epoch))
        answer = state.metadata_as(ControlMetadata).recited
        assert answer is not None
        state.output = ModelOutput.from_content("control", answer)
        state.messages.append(ChatMessageAssistant(content=answer))
        return state

    return solve


@solver
def give_answers(system: str, texts: Mapping[str, str]) -> Solver:
    """Give the answers of another system; a sample that has none stays without output, and no model is called.

    They are given as a model's output is, so that what wraps an inference in a reply, such as quotation marks, is taken
    off alike.

    Args:
        system: Its name.
        texts: The answers by the sample's id.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        text = texts.get(str(state.sample_id))
        if text is not None:
            state.output = ModelOutput.from_content(system, text)
            state.messages.append(ChatMessageAssistant(content=text))
        return state

    return solve


def _check_given(given: Answers, samples: Sequence[Sample], elsewhere: AnswerOptions) -> None:
    """Check that the samples of a run are answered, and warn where answers are the notes themselves.

    Raises:
        UserError: Samples have no answer.
    """
    path = str(elsewhere.answers)
    if not is_retry():
        check_answered(path, given, [str(sample.id) for sample in samples], elsewhere.partial_answers)
    # As when the column of the references was given.
    answered = [sample for sample in samples if sample.id in given.texts]
    same = sum(equals_a_note(normalise_thought(given.texts[str(s.id)]), list(s.target)) for s in answered)
    if same:
        _logger.warning(
            f"answers={path}: {same:,} of {len(answered):,} answers equal their note word for word. Were the notes "
            "themselves given in the place of the answers?"
        )


@solver
def reword_target() -> Solver:
    """Let the model put the target in other words: it sees the target, and nothing of the conversation."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.metadata.update(ControlMetadata(reworded=True).to_log())
        note = state.target[0]
        mark = marker(note)
        state.messages = [ChatMessageUser(content=f"{REWORD}\n\n{block(mark, 'note', note)}[{mark} end]")]
        return await generate(state)

    return solve
