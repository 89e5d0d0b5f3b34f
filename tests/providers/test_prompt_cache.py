"""Where prompts are marked on the wire, and in which order they reach the provider."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import Model, get_model

from thoughttrace.models import prompt_cache
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

TURNS = 7


@pytest.fixture
def run(
    loopback: Any, tmp_path: Path, write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., list[Any]]:  # fmt: skip
    """Run a task on three conversations and one of a single turn; the inference requests, in the order they came."""
    monkeypatch.setattr(prompt_cache, "_cached_prefixes", {})
    users = {"ann": TURNS, "bob": TURNS, "eve": TURNS, "solo": 1}
    data = str(write(*(make_conversation(user, turns=turns) for user, turns in users.items())))

    def run(model: Any, judge: Any = "openai-api/loop/judge", task: Any = infer_reason, **options: Any) -> list[Any]:
        before = len(loopback.requests)
        (log,) = inspect_eval(
            task(data=data), model=model, model_roles={"grader": judge}, log_dir=str(tmp_path / "logs"),
            display="none", **{"max_connections": 20} | options,
        )  # fmt: skip
        assert log.status == "success"
        assert log.results
        assert log.results.scores[0].scored_samples == 3 * TURNS + 1
        return [request for request in loopback.requests[before:] if request.schema is None]

    return run


@pytest.fixture
def direct(loopback: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Model]:
    """A model on the server that Inspect takes for one at its provider: it trusts OpenAI alone to know marks."""

    def direct(name: str) -> Model:
        model = get_model(name, memoize=False)
        monkeypatch.setattr("inspect_ai.model._providers.openai.model_base_url", lambda *_: None)
        return model

    return direct


def blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks of the question, of Anthropic's or of OpenAI's requests."""
    content = (body.get("input") or body["messages"])[-1]["content"]
    return content if isinstance(content, list) else [{"text": content}]


def shown(request: Any) -> tuple[str, int]:
    """Whose conversation, and how many of its turns."""
    user = next(user for user in ("ann", "bob", "eve", "solo") if f"of {user}," in request.text)
    return user, request.text.count("question ")


@pytest.mark.parametrize(
    ("model", "mark"),
    [("anthropic/claude-sonnet-4-5", "cache_control"), ("openai/gpt-5.6", "prompt_cache_breakpoint")],
)
def test_every_prompt_ends_where_one_before_it_was_marked(
    run: Callable[..., list[Any]], direct: Callable[[str], Model], model: str, mark: str
) -> None:
    requests = run(direct(model))
    assert len(requests) == 3 * TURNS + 1
    assert not any("cache_control" in request.body for request in requests)  # Inspect's mark on the last block
    written: dict[str, set[int]] = {"ann": set(), "bob": set(), "eve": set()}
    for request in requests:
        user, turns = shown(request)
        parts = blocks(request.body)
        marks = [n for n, part in enumerate(parts) if mark in part]
        if user == "solo":
            assert marks == []
            continue
        assert len(parts) == 2 * turns  # the messages up to the user's, and the question
        assert 1 <= len(marks) <= (4 if mark == "cache_control" else 5)
        assert marks[-1] == len(parts) - 2
        alone = turns in (4, TURNS)
        assert alone == (marks[-1] not in written[user])
        written[user] |= set(marks)
    assert all(marks == set(range(0, 2 * TURNS, 2)) for marks in written.values())


def test_the_blocks_are_the_prompt(run: Callable[..., list[Any]]) -> None:
    whole = {shown(request): request.text for request in run("google/gemini-2.5-flash")}
    marked = {shown(request): request for request in run("anthropic/claude-sonnet-4-5")}
    assert whole.keys() == marked.keys()
    for key, request in marked.items():
        system, *parts = request.blocks
        assert f"{system}\n{''.join(parts)}" == whole[key]


def test_prompts_that_begin_alike_wait_for_the_first(run: Callable[..., list[Any]], loopback: Any) -> None:
    answered: dict[str, int] = {}
    faults: list[str] = []
    plain = loopback.reply

    def slow(request: Any) -> Any:
        reply = plain(request)
        if request.schema is None and shown(request)[0] != "solo":
            user, turns = shown(request)
            if turns > answered.get(user, 0) and turns not in (4, TURNS):
                faults.append(f"{user} {turns} before {answered}")
            reply.latency = 0.2
            if turns in (4, TURNS):
                threading.Timer(0.2, lambda: answered.update({user: max(turns, answered.get(user, 0))})).start()
        return reply

    loopback.reply = slow
    requests = run("google/gemini-2.5-flash")
    assert faults == []
    assert loopback.most_in_flight > 3  # the others of a conversation go at once
    assert sorted(shown(request)[1] for request in requests[:4]) == [1, 4, 4, 4]


def test_the_other_task_finds_the_same_beginnings(run: Callable[..., list[Any]]) -> None:
    run("anthropic/claude-sonnet-4-5")
    for request in run("anthropic/claude-sonnet-4-5", task=infer_reaction):
        user, turns = shown(request)
        marks = [n for n, part in enumerate(blocks(request.body)) if "cache_control" in part]
        # A reaction's prompt ends with the user's next message, as that message's reason does; the last has none.
        if user != "solo":
            assert marks[-1] == 2 * turns - (1 if len(blocks(request.body)) == 2 * TURNS + 1 else 2)


@pytest.mark.parametrize("judge", ["anthropic/claude-opus-4-6", "openai/gpt-5.6"])
def test_of_a_judges_prompt_the_rubric_alone_is_marked(
    run: Callable[..., list[Any]], direct: Callable[[str], Model], loopback: Any, judge: str
) -> None:
    run("openai-api/loop/some", judge=direct(judge))
    judged = [request for request in loopback.requests if request.schema is not None]
    assert len(judged) == 3 * TURNS + 1
    for request in judged:
        assert "cache_control" not in request.body
        assert all(
            "cache_control" not in part and "prompt_cache_breakpoint" not in part for part in blocks(request.body)
        )
        system = request.body.get("system") or request.body["input"][0]["content"]
        assert [name in str(system) for name in ("cache_control", "prompt_cache_breakpoint")].count(True) == 1


def test_openai_is_told_which_prompts_belong_together(run: Callable[..., list[Any]]) -> None:
    keys: dict[str, set[str]] = {}
    for request in run("openai/gpt-5-mini", extra_body={"service_tier": "flex"}):
        assert request.body["service_tier"] == "flex"
        assert not any("prompt_cache_breakpoint" in part for part in blocks(request.body))
        keys.setdefault(shown(request)[0], set()).add(request.body["prompt_cache_key"])
    assert all(len(own) == 1 for own in keys.values())
    assert len(set.union(*keys.values())) == 4
    assert not any(user in key for user, own in keys.items() for key in own)


def test_without_a_prompt_cache_nothing_is_marked(run: Callable[..., list[Any]]) -> None:
    for request in run("anthropic/claude-sonnet-4-5", cache_prompt=False):
        assert "cache_control" not in str(request.body)
