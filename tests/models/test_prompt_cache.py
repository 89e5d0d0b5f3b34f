"""The order of samples, and where prompts are marked, so that prompt caches hit."""

import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser

from thoughttrace.core.record import PromptMetadata
from thoughttrace.datasets.prompt import split_at
from thoughttrace.models.prompt_cache import (
    CacheOrdered,
    breakpoints,
    choose_breakpoints,
    in_cache_order,
    prefix_key,
    shared_ends,
)
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason


def sample(conversation: str, length: int, **metadata: Any) -> Sample:
    shown = PromptMetadata(user="u", conversation=conversation, message_index=length, context="history")
    prompt: list[ChatMessage] = [ChatMessageSystem(content="do"), ChatMessageUser(content="x" * length)]
    return Sample(id=f"{conversation}{length}", input=prompt, metadata=shown.to_log() | metadata)


DRAWN = [sample("a", 3), sample("a", 1), sample("b", 2), sample("b", 9), sample("b", 4), sample("c", 5), sample("d", 1)]


def ids(samples: Any) -> list[Any]:
    return [s.id for s in samples]


def test_in_a_block_the_longest_come_first_and_then_one_of_each() -> None:
    assert ids(in_cache_order(DRAWN, 100)) == ["a3", "b9", "c5", "d1", "a1", "b2", "b4"]
    wide = [sample(name, length) for name in "abcdefgh" for length in (1, 2)]
    blocks = ids(in_cache_order(wide, 2))
    assert blocks[:8] == ["a2", "b2", "c2", "d2", "a1", "b1", "c1", "d1"]
    assert {name[0] for name in blocks[8:]} == set("efgh")


def test_a_serial_model_gets_them_as_drawn() -> None:
    assert ids(in_cache_order(DRAWN, 1)) == ids(DRAWN)


def test_a_limit_takes_those_that_were_drawn_first() -> None:
    dataset = CacheOrdered(list(DRAWN))
    assert ids(dataset) == ids(DRAWN)
    assert ids(dataset[0:3]) == ["a3", "b2", "a1"]
    assert [s.metadata["prompts_alike"] for s in dataset[0:3] if s.metadata] == [2, 1, 2]
    assert sorted(ids(dataset[0:7])) == sorted(ids(DRAWN))
    assert dataset[1].id == "a1"


def test_prompts_that_begin_otherwise_have_another_key() -> None:
    metadata = sample("a", 1).metadata_as(PromptMetadata)

    def key(**other: Any) -> str:
        return prefix_key(metadata.model_copy(update=other))

    others: list[dict[str, Any]] = [
        {"messages_left_out": 2},
        {"context": "profile"},
        {"context": "message"},
        {"conversation": "b"},
        {"arm": "both", "marker": "0123abcd"},
    ]
    assert len({key(), *(key(**other) for other in others)}) == 6
    assert key() == key(context="lookahead", message_index=7)


def read_anew(ends: list[int], marks: Sequence[int]) -> int:
    return sum(end - max((ends[mark] for mark in marks if ends[mark] <= end), default=0) for end in ends)


@pytest.mark.parametrize("most", [1, 2, 4])
def test_breakpoints_leave_as_little_uncached_as_can_be(most: int) -> None:
    draw = random.Random(most)
    for count in (1, 2, 5, 9):
        ends = sorted(draw.sample(range(1, 1000), count))
        least = min(
            read_anew(ends, marks) for n in range(most + 1) for marks in itertools.combinations(range(count), n)
        )
        chosen = choose_breakpoints(ends, most)
        assert len(chosen) <= most
        assert chosen == sorted(chosen)
        assert read_anew(ends, chosen) == least


def test_every_prompt_of_a_conversation_begins_the_longest_one_byte_for_byte(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]
) -> None:
    data = str(write(*(make_conversation(f"user{n}", turns=4) for n in range(3))))
    drawn = [*infer_reason(data=data).dataset, *infer_reaction(data=data).dataset]
    prompts: dict[str, list[list[str]]] = {}
    for each in drawn:
        assert not isinstance(each.input, str)
        system, asked = each.input
        metadata = each.metadata_as(PromptMetadata)
        blocks = split_at(asked.text, metadata.block_ends)
        assert "".join(blocks) == asked.text
        prompts.setdefault(prefix_key(metadata), []).append([system.text, *blocks])
    assert len(prompts) == 3
    for alike in prompts.values():
        assert len(alike) == 8
        longest = max(alike, key=len)
        for parts in alike:
            assert parts[:-1] == longest[: len(parts) - 1]
            assert len(parts[-1]) < 350  # the question


def test_prompts_end_after_messages_of_one_role_and_before_their_questions() -> None:
    # A profile of two blocks, five messages, the question.
    prompt = PromptMetadata(
        user="u",
        conversation="c",
        message_index=4,
        messages_shown=5,
        block_ends=[10, 20, 30, 40, 50, 60, 70, 90],
    )
    assert shared_ends(prompt) == [30, 50, 70]
    assert shared_ends(prompt.model_copy(update={"messages_shown": 4})) == [50, 70]


def test_a_prompt_is_marked_where_the_cache_reaches_and_further_on() -> None:
    ends = list(range(10, 210, 10))  # 19 messages and the question
    prompt = PromptMetadata(user="u", conversation="c", message_index=18, messages_shown=19, block_ends=ends)
    assert breakpoints(prompt, []) == [shared_ends(prompt)[n] for n in choose_breakpoints(shared_ends(prompt))]
    later = breakpoints(prompt, {50, 90, 500})
    assert later[0] == 90  # an entry beyond the prompt's end is another prompt's
    assert later == sorted(later)
    assert len(later) == 5
    assert breakpoints(prompt, {190}) == [190]
