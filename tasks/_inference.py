"""Make the samples of the two inference tasks, and the controls that answer them in a model's place."""

import re
from collections.abc import Callable
from typing import Any

from inspect_ai.dataset import MemoryDataset
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from thoughttrace.core.errors import UserError, check_choice
from thoughttrace.core.record import (
    CONTEXTS,
    CONTROLS,
    INFER,
    SIMILARITY,
    ControlMetadata,
    InferenceMetadata,
    Kind,
    RunMetadata,
)
from thoughttrace.datasets import controls
from thoughttrace.datasets.counts import census
from thoughttrace.datasets.prompt import block, marker
from thoughttrace.datasets.samples import record_to_sample
from thoughttrace.datasets.sampling import select
from thoughttrace.models.embedding import LocalEmbedder, require_embedder
from thoughttrace.models.prompt_cache import CacheOrdered, generate_cached
from thoughttrace.scorers.given_text import check_placeholders, check_plain, read_given_text
from thoughttrace.tasks._options import (
    DataOptions,
    ScoreColumn,
    dataset_of,
    prompt_hash,
    provenance,
    read_prompt,
    recite,
    viewer,
)

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
    kind: Kind, context: str, control: str | None, prompt: str | None, confidence: bool, options: DataOptions
) -> tuple[MemoryDataset, dict[str, Any], Solver]:
    """Make the samples of one kind of thought, and what answers them.

    Args:
        kind: The kind.
        context: How much of the conversation the model sees, a `Context`.
        control: The control that answers in the model's place, a `Control`; None for the model.
        prompt: The path of a prompt that is used in place of ours; None for ours.
        confidence: Whether the model is asked how sure it is.
        options: The data.

    Returns:
        The samples, the run metadata, and the solver: the evaluated model, or the control.

    Raises:
        UserError: An argument or the data cannot be used.
    """
    shown = check_choice("context", context, CONTEXTS)
    answered_by = check_choice("control", control, CONTROLS) if control is not None else None
    if not isinstance(confidence, bool):
        raise UserError(f"confidence={confidence}: must be true or false.")
    if answered_by and confidence:
        raise UserError(f"confidence=true: control={control} is not sure of anything; leave confidence out.")
    # Inspect parses `-T prompt=2026` to a number.
    ours = _INSTRUCTIONS, read_prompt(f"infer_{kind}"), _NEXT, None
    instructions, question, of_next, file = ours if prompt is None else _given_prompt(str(prompt))
    how_sure = ""
    if confidence:
        explained, how_sure = (part.strip() for part in _RULE.split(read_prompt("infer_confidence")))
        # In the question too: a small model heeds what it reads last, and its instructions hardly.
        instructions = f"{instructions}\n\n{explained}"
    source = options.open()
    items = select(source.conversations, kind, options.selected_types, options.users, options.per_user, options.seed)
    answer = None
    if answered_by == "typical":
        require_embedder("control=typical")
        answer = controls.recite_typical(source.conversations, kind, LocalEmbedder().embed)
    elif answered_by is not None and answered_by != "reworded":
        answer = controls.recite(answered_by, source.conversations, kind, options.seed)
    unknown = dict(census(source.conversations).unknown_labels)
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
        samples.append(sample)
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
        **provenance(source),
    )
    solver = generate_cached()
    if answer:
        solver = recite_control(lambda sample_id, epoch: recitals[sample_id](epoch))
    elif answered_by:
        solver = reword_target()
    return dataset_of(samples, source, CacheOrdered), metadata.to_log(), solver


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
def reword_target() -> Solver:
    """Let the model put the target in other words: it sees the target, and nothing of the conversation."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.metadata.update(ControlMetadata(reworded=True).to_log())
        note = state.target[0]
        mark = marker(note)
        state.messages = [ChatMessageUser(content=f"{REWORD}\n\n{block(mark, 'note', note)}[{mark} end]")]
        return await generate(state)

    return solve
