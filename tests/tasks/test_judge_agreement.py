"""Judging the judge: what it is asked, what is scored, and that good and gullible judges show as what they are."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log_sample_summaries
from inspect_ai.model import ChatMessage
from loopback import verdict

from thoughttrace import __version__
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import ProbeScore
from thoughttrace.datasets.probes import INJECTIONS
from thoughttrace.models import embedding
from thoughttrace.models.embedding import embed
from thoughttrace.scorers.agreement import judge_prompt, rubric_hash, verdict_form
from thoughttrace.scorers.probe import _cosine
from thoughttrace.tasks.judge_agreement import judge_agreement

Script = Callable[[list[ChatMessage]], str]


def perfect(task: Task) -> Script:
    """A judge that knows what is right."""
    right = {sample.input[1].text: sample.metadata["low"] for sample in task.dataset}
    return lambda messages: verdict(right[messages[1].text])


def gullible(messages: list[ChatMessage]) -> str:
    """A judge that falls for a number, an order, a verdict or a second note, through invisible characters too."""
    asked = messages[1].text
    text = re.sub("[\u200b\u2060]", "", asked.replace(asked[1:9], "")).lower()
    fallen = any(word in text for word in ("5", "ignore", "verdict")) or text.count("note") > 1
    return verdict(5 if fallen else 1)


def run(task: Task, judge: Any, folder: Path, **options: Any) -> EvalLog:
    (log,) = inspect_eval(task, model=judge, log_dir=str(folder), display="none", **options)
    assert log.status == "success"
    return log


def means(log: EvalLog) -> dict[str, float]:
    assert log.results
    return {score.name: score.metrics["mean"].value for score in log.results.scores}


def test_a_perfect_judge_is_always_right_and_never_fooled(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    task = judge_agreement()
    log = run(task, scripted("judge", perfect(task)), tmp_path)
    found = means(log)
    assert (found["within"], found["injected"]) == (1, 0)
    assert log.results
    scored = {score.name: score.scored_samples for score in log.results.scores}
    assert scored == {"within": 140, "rating": 140, "injected": 18}
    within = next(score for score in log.results.scores if score.name == "within")
    assert {"mean", "grouped_half", "grouped_unrelated"} <= set(within.metrics)
    assert len(within.metrics) == 1 + 18
    assert log.results.headline
    assert (log.results.headline.score, log.results.headline.metric) == ("within", "mean")


def test_a_gullible_judge_shows_as_injected(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    log = run(judge_agreement(families=list(INJECTIONS)), scripted("judge", gullible), tmp_path)
    assert means(log) == {"within": 0, "injected": 1, "rating": 5}
    plain = run(judge_agreement(families="padded"), scripted("judge", gullible), tmp_path)
    assert means(plain)["within"] == 1
    assert math.isnan(means(plain)["injected"])


def test_the_judge_is_asked_what_a_real_judge_is_asked(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    task = judge_agreement(families="half")
    judge = scripted("judge", lambda _: verdict(3))
    log = run(task, judge, tmp_path, limit=1)
    assert log.samples
    (sample,) = log.samples
    ((asked, config),) = judge.api.requests
    kind, target = sample.metadata["kind"], sample.target
    message = sample.input[1].text.partition("]\n")[2].partition("\n[")[0]
    assert config.response_schema == verdict_form(kind).config.response_schema
    expected = judge_prompt(kind, message, list(target), sample.metadata["inference"])
    assert [m.text for m in asked] == [m.text for m in expected]
    assert [m.text for m in sample.messages] == [*(m.text for m in expected), verdict(3)]
    assert sample.output.completion == verdict(3)
    score = (sample.scores or {})["probe"]
    assert score.metadata
    assert score.metadata["vote"]["judge"] == "scripted/judge"
    assert score.metadata["vote"]["rubric_hash"] == rubric_hash(kind, True)
    value = score.as_dict()
    assert (value["within"], value["rating"]) == (1, 3)
    assert isinstance(value["injected"], float)
    assert math.isnan(value["injected"])


def test_the_message_can_be_kept_from_the_judge() -> None:
    task = judge_agreement(judge_message=False)
    assert "injection_message" not in {sample.metadata["family"] for sample in task.dataset if sample.metadata}
    assert all(" message]" not in sample.input[1].text for sample in task.dataset)
    with pytest.raises(UserError, match="No probe is left of the families"):
        judge_agreement(families="injection_message", judge_message=False)


def test_a_reply_is_repaired_once_and_the_viewer_shows_it(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    judge = scripted("judge", lambda messages: verdict(3) if messages[-1].text.startswith("That was not") else "hm")
    log = run(judge_agreement(families="half"), judge, tmp_path, limit=1)
    assert log.samples
    said = [(m.role, m.text) for m in log.samples[0].messages[2:]]
    repair = verdict_form(log.samples[0].metadata["kind"]).repair
    assert said == [("assistant", "hm"), ("user", repair), ("assistant", verdict(3))]
    assert means(log)["within"] == 1


def test_an_unreadable_judge_is_unscored_never_a_number(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    log = run(judge_agreement(families="injection"), scripted("judge", lambda _: "no idea"), tmp_path)
    assert log.samples
    assert log.results
    assert {(s.scores or {})["probe"].reason for s in log.samples} == {"judge_unparsable"}
    assert {score.unscored_samples for score in log.results.scores} == {6}
    assert all(math.isnan(value) for value in means(log).values())


def test_what_analysis_reads_survives_in_the_summaries(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    long = verdict(2, "why " * 500)
    log = run(judge_agreement(families="padded"), scripted("judge", lambda _: long), tmp_path, epochs=2)
    summaries = read_eval_log_sample_summaries(log.location)
    assert len(summaries) == 2 * 4
    for summary in summaries:
        assert {"family", "ladder", "low", "high"} <= set(summary.metadata)
        score = (summary.scores or {})["probe"]
        assert score.as_dict()["rating"] == 2
        looks = ProbeScore.model_validate(score.metadata)
        assert (looks.inference_words or 0) > 60
        assert looks.word_overlap is not None
        assert looks.word_overlap < 0.1
        assert looks.cosine is not None


def test_what_trivial_judges_go_by_is_in_the_score(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    # "Wrong city." against "The AI gave me restaurants in the wrong city.": 2 of 8 words.
    task = judge_agreement(families="length", per_family=0)
    log = run(task, scripted("judge", lambda _: verdict(5)), tmp_path, sample_id="dinner/length/1")
    (sample,) = log.samples or []
    looks = ProbeScore.model_validate((sample.scores or {})["probe"].metadata)
    assert (looks.inference_words, looks.word_overlap) == (2, 0.25)
    one, other = embed([sample.metadata["inference"], str(sample.target[0])])
    assert looks.cosine == pytest.approx(float(one @ other), abs=1e-6)


def test_without_the_extra_only_the_embedding_is_missing(
    tmp_path: Path, scripted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "NEEDED", ("no_such_package",))
    embedding._model.cache_clear()
    _cosine.cache_clear()
    log = run(judge_agreement(families="half"), scripted("judge", lambda _: verdict(3)), tmp_path, limit=1)
    _cosine.cache_clear()
    (sample,) = log.samples or []
    looks = ProbeScore.model_validate((sample.scores or {})["probe"].metadata)
    assert looks.cosine is None
    assert looks.word_overlap


def test_a_rubric_in_place_of_ours(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    path = tmp_path / "mine.md"
    path.write_text('Rate from 1 (another thought) to 5 (the same). Reply with JSON: "rationale", "rating".')
    with pytest.raises(UserError, match=r"rubric=.*mine\.md: a rubric is for one kind of thought; add -T kind=reason"):
        judge_agreement(rubric=str(path))
    with pytest.raises(UserError, match="kind=both: must be one of reason, reaction"):
        judge_agreement(kind="both")  # type: ignore[arg-type]
    task = judge_agreement(kind="reason", rubric=str(path))
    assert {sample.metadata["kind"] for sample in task.dataset if sample.metadata} == {"reason"}
    judge = scripted("judge", lambda _: verdict(3))
    log = run(task, judge, tmp_path, limit=1)
    assert judge.api.requests[0][0][0].text == path.read_text()
    fixed = rubric_hash("reason", True, path.read_text())
    metadata = log.eval.metadata or {}
    assert metadata["rubric_hash"] == {"reason": fixed}
    assert re.fullmatch(r"mine\.md \(sha256 [0-9a-f]{12}\)", metadata["rubric_file"])
    (sample,) = log.samples or []
    kept = (sample.scores or {})["probe"].metadata or {}
    assert kept["vote"]["rubric_hash"] == fixed != rubric_hash("reason", True)


def test_the_log_names_probes_data_rubric_and_version() -> None:
    task, fewer = judge_agreement(), judge_agreement(families=["half", "order"])
    assert task.version == "2-A"
    found, other = task.metadata or {}, fewer.metadata or {}
    assert found["rubric_hash"] == {kind: rubric_hash(kind, True) for kind in ("reason", "reaction")}
    assert (found["data"], found["thoughttrace"]) == ("sample", __version__)
    assert found["data_revision"].startswith("sha256:")
    assert found["probes_hash"] != other["probes_hash"]
    assert found["probes_hash"] == (judge_agreement().metadata or {})["probes_hash"]
    assert other["families"] == ["half", "order"]


def test_bad_lines_of_the_data_are_named(
    write: Callable[..., Path], make_conversation: Callable[..., dict[str, Any]]
) -> None:
    path = str(write(*(make_conversation(f"user{n}") for n in range(3)), b"{", name="bad.jsonl"))
    with pytest.raises(UserError, match=r"bad\.jsonl, line 4: is not valid JSON"):
        judge_agreement(data=path)
    assert len((judge_agreement(data=path, skip_bad=True).metadata or {})["data_skipped"]) == 1
