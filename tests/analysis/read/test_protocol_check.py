"""A right entry follows the protocol; each deviation is named by its own point, and by no other."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from thoughttrace.analysis.read.entries import Entry, entries
from thoughttrace.analysis.read.protocol_check import ProtocolCheck, check_models, check_protocol
from thoughttrace.analysis.read.runs import Runs
from thoughttrace.analysis.read.task_log import Contribution, Run
from thoughttrace.analysis.read.votes import votes
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import Unscored
from thoughttrace.protocols.manifest import Manifest, kept_manifest, manifest_path
from thoughttrace.protocols.protocol import Protocol

Make = Callable[..., Run]
PANEL = "anthropic/claude-opus-4-6, google/gemini-3.1-pro-preview, openai/gpt-5.4"


def entry(reason: Run | None, reaction: Run | None) -> Entry:
    return Entry("m", reason, reaction)


def failed(check: ProtocolCheck) -> list[str]:
    return [point.name for point in check.deviations]


def found(check: ProtocolCheck, name: str) -> str:
    (point,) = (point for point in check.points if point.name == name)
    return point.found


def test_a_right_entry_follows_with_and_without_the_manifest(
    follows: Make, protocol: Protocol, manifest: Manifest
) -> None:
    for known in (manifest, None):
        check = check_protocol(entry(follows("reason"), follows("reaction")), protocol, known)
        assert failed(check) == []
        assert (check.followed, check.mark, check.subset) == (True, "infer-v1, mini", "mini-v1")
        assert len({point.name for point in check.points}) == len(check.points) == 25


HASHES = {"reason": "8e7f730baa9b", "reaction": "785375126ed9"}
"""Of the rubrics without the message."""

DEVIATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "an older task version": ("task version", {"task_version": "2-A"}),
    "another prompt": ("prompt", {"prompt_hash": "0" * 12, "prompt_file": "mine.md (sha256 0123456789ab)"}),
    "another rubric": ("rubric", {"rubric_hash": "0" * 12}),
    "another context": ("context", {"context": "lookahead"}),
    "a part of the context": ("words of context", {"context_words": "500"}),
    "a judge outside the panel": ("panel", {"judge": f"{PANEL}, mistral/mistral-large"}),
    "two judges in one place": ("panel", {"judge": f"{PANEL}, openai/gpt-6-sol"}),
    "too few judges": ("judges missing", {"judge": "anthropic/claude-opus-4-6, openai/gpt-5.4"}),
    "a judge's temperature": ("judges' config", {"judge_configs": {"openai/gpt-5.4": "temperature 0"}}),
    "expected ratings": ("judge scale", {"judge_scale": "expected"}),
    "a temperature": ("generation config", {"generation": "temperature 0.7"}),
    "several epochs": ("epochs", {"epochs": 2}),
    "other content": ("data", {"data_content": "sha256:d"}),
    "confidence asked": ("confidence", {"confidence": True}),
    "a control": ("system", {"control": "parrot", "model": "control parrot"}),
    "judged by itself": (
        "judges' family",
        {"evaluated": "google/gemini-3.1-pro-preview", "model": "google/gemini-3.1-pro-preview"},
    ),
    "judged by its family": ("judges' family", {"evaluated": "openai/gpt-5.5", "model": "openai/gpt-5.5"}),
    "another solver": ("solver", {"solver": "chain_of_thought()"}),
    "another manifest": ("manifest", {"subset_sha256": "f" * 64}),
    "another subset": ("subset", {"subset": "other-v1"}),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_a_deviation_fails_its_point_alone(name: str, follows: Make, protocol: Protocol, manifest: Manifest) -> None:
    point, altered = DEVIATIONS[name]
    known = None if point == "subset" else manifest
    check = check_protocol(entry(follows("reason", **altered), follows("reaction", **altered)), protocol, known)
    assert failed(check) == [point]
    assert check.mark == "not infer-v1: 1 point"
    one = check_protocol(entry(follows("reason"), follows("reaction", **altered)), protocol, known)
    assert failed(one) == [point]
    assert "reactions: " in found(one, point) or point == "subset"


def test_a_judge_that_does_not_see_the_message_is_told_from_another_rubric(
    follows: Make, protocol: Protocol, manifest: Manifest
) -> None:
    runs = [follows(kind, rubric_hash=value) for kind, value in HASHES.items()]
    check = check_protocol(entry(*runs), protocol, manifest)
    assert failed(check) == ["what the judge sees"]
    assert found(check, "what the judge sees") == "not the message"


def with_rows(run: Run, rows: pd.DataFrame, **other: Any) -> Run:
    return replace(run, rows=rows.reset_index(drop=True), **other)


def test_samples_and_coverage_are_compared_with_the_manifest(
    follows: Make, protocol: Protocol, manifest: Manifest
) -> None:
    reason, reaction = follows("reason"), follows("reaction")
    less = with_rows(reason, reason.rows[1:], planned=19, planned_replies=19)
    check = check_protocol(entry(less, reaction), protocol, manifest)
    assert failed(check) == ["samples missing"]
    assert (
        found(check, "samples missing")
        == "reasons: 1 of 20, such as user0_task1_conversation1/m00/reason; reactions: none"
    )
    assert failed(check_protocol(entry(less, reaction), protocol, None)) == ["samples missing"]
    extra = reason.rows[:1].assign(id="user99_task1_conversation1/m00/reason", user="user99")
    more = with_rows(reason, pd.concat([reason.rows, extra]), planned=21, planned_replies=21)
    for known in (manifest, None):
        check = check_protocol(entry(more, reaction), protocol, known)
        assert failed(check) == ["samples outside"]
        alone = "if another run of the same system took them, check the logs of the subset alone"
        assert alone in found(check, "samples outside")
    # 19 of 20 rated are enough, 18 are not; a sample that was planned and is not in the log counts as unrated.
    for unrated, points in ((1, []), (2, ["coverage"])):
        rows = reason.rows.assign(score=[math.nan] * unrated + [4.0] * (20 - unrated))
        assert failed(check_protocol(entry(with_rows(reason, rows), reaction), protocol, manifest)) == points
    lost = with_rows(reason, reason.rows[2:], absent=list(reason.rows["id"][:2]))
    assert failed(check_protocol(entry(lost, reaction), protocol, manifest)) == ["coverage"]


def test_repeated_votes_are_counted_in_the_votes(follows: Make, protocol: Protocol, manifest: Manifest) -> None:
    reason = follows("reason")
    rows = reason.rows.assign(ratings=json.dumps({name: [4, 4] for name in PANEL.split(", ")}))
    check = check_protocol(entry(with_rows(reason, rows), follows("reaction")), protocol, manifest)
    assert failed(check) == ["judge repeats"]


def test_votes_that_a_judge_lost_are_counted(follows: Make, protocol: Protocol, manifest: Manifest) -> None:
    reason, reaction = follows("reason"), follows("reaction")

    def losing(**lost: int) -> Run:
        ratings = [
            json.dumps({judge: [None if n < lost.get(judge[0], 0) else 4] for judge in PANEL.split(", ")})
            for n in range(20)
        ]
        return with_rows(reason, reason.rows.assign(ratings=ratings))

    # Two of three failed on every reply: every reply has a rating, of one judge.
    check = check_protocol(entry(losing(g=20, o=20), reaction), protocol, manifest)
    assert failed(check) == ["votes"]
    assert found(check, "votes") == (
        "reasons: anthropic/claude-opus-4-6 100.0 %, google/gemini-3.1-pro-preview 0.0 %, openai/gpt-5.4 0.0 %; "
        "reactions: anthropic/claude-opus-4-6 100.0 %, google/gemini-3.1-pro-preview 100.0 %, openai/gpt-5.4 100.0 %"
    )
    assert check_protocol(entry(losing(g=1, o=1), reaction), protocol, manifest).followed  # 95 %
    assert failed(check_protocol(entry(losing(a=2), reaction), protocol, manifest)) == ["votes"]
    # What a rule rated, such as a refusal, no judge was asked about.
    refused = json.dumps({judge: [] for judge in PANEL.split(", ")})
    why = pd.Series([Unscored.REFUSAL.value] * 10, dtype=object).reindex(range(20))
    rows = reason.rows.assign(reason=why, ratings=[refused] * 10 + [*reason.rows["ratings"][10:]])
    assert check_protocol(entry(with_rows(reason, rows), reaction), protocol, manifest).followed


def test_a_protocol_of_one_kind_asks_for_that_kind(follows: Make, protocol: Protocol, manifest: Manifest) -> None:
    one = protocol.model_copy(update={"tasks": {"reason": protocol.tasks["reason"]}})
    for reaction in (None, follows("reaction"), follows("reaction", context="lookahead", subset="")):
        check = check_protocol(entry(follows("reason"), reaction), one, manifest)
        assert check.followed
        assert found(check, "kinds") == "reasons"
    missing = check_protocol(entry(None, follows("reaction")), one, manifest)
    assert (failed(missing), found(missing, "kinds"), missing.mark) == (["kinds"], "none", "not infer-v1: 1 point")


def test_a_person_is_of_no_family_whatever_the_name(follows: Make, protocol: Protocol, manifest: Manifest) -> None:
    def named(name: str, person: bool) -> Entry:
        part = Contribution("x.eval", "agreement", "2026-11-29", "success", 20, 20)
        about = {"evaluated": name, "answers_file": "a (sha256 0)", "person": person, "contributions": (part,)}
        return entry(follows("reason", name, **about), follows("reaction", name, **about))

    for name in ("Claude", "gpt-5.4"):
        assert check_protocol(named(name, person=True), protocol, manifest).followed
        assert failed(check_protocol(named(name, person=False), protocol, manifest)) == ["judges' family"]
    assert not named("gpt-5.4", person=True).runs[0].self_judged
    assert named("gpt-5.4", person=False).runs[0].self_judged
    assert not votes(named("Claude", person=True).runs)["own_family"].any()
    assert votes(named("Claude", person=False).runs)["own_family"].any()


def test_a_missing_kind_is_named(follows: Make, protocol: Protocol, manifest: Manifest) -> None:
    check = check_protocol(entry(follows("reason"), None), protocol, manifest)
    assert failed(check) == ["kinds"]
    assert found(check, "kinds") == "reasons only"


def test_a_stand_in_is_accepted_and_named(follows: Make, protocol: Protocol, manifest: Manifest) -> None:
    judge = "anthropic/claude-opus-4-7, google/gemini-3.1-pro-preview, openai/gpt-5.4-2026-03-05"
    check = check_protocol(entry(follows("reason", judge=judge), follows("reaction", judge=judge)), protocol, manifest)
    assert check.followed
    assert "anthropic/claude-opus-4-7 (stands in for anthropic/claude-opus-4-6)" in found(check, "panel")
    # The same model with its date is no stand-in.
    assert found(check, "panel").endswith("openai/gpt-5.4-2026-03-05")


def test_the_evaluated_models_family_need_not_judge(follows: Make, protocol: Protocol, manifest: Manifest) -> None:
    altered = {"model": "openai/gpt-5.5", "evaluated": "openai/gpt-5.5"}
    altered["judge"] = "anthropic/claude-opus-4-6, google/gemini-3.1-pro-preview"
    assert check_protocol(
        entry(follows("reason", **altered), follows("reaction", **altered)), protocol, manifest
    ).followed


def test_data_are_compared_by_content_where_a_manifest_tells_it(
    follows: Make, protocol: Protocol, manifest: Manifest
) -> None:
    moved = {"data_revision": "1" * 40}
    assert failed(check_protocol(entry(follows("reason", **moved), None), protocol, None)) == ["kinds", "data"]
    # The release as a file: another revision, and the same content.
    assert failed(check_protocol(entry(follows("reason", **moved), None), protocol, manifest)) == ["kinds"]
    elsewhere = manifest.model_copy(update={"data_revision": "sha256:0"})
    assert failed(check_protocol(entry(follows("reason"), None), protocol, elsewhere)) == ["kinds", "data"]


def test_a_stated_checksum_refuses_every_other_manifest(follows: Make, protocol: Protocol, manifest: Manifest) -> None:
    def stating(sha256: str) -> Protocol:
        subset = protocol.subsets["mini-v1"].model_copy(update={"manifest_sha256": sha256})
        return protocol.model_copy(update={"subsets": protocol.subsets | {"mini-v1": subset}})

    both = entry(follows("reason"), follows("reaction"))
    for known in (manifest, None):
        assert check_protocol(both, stating(manifest.sha256), known).followed
        assert failed(check_protocol(both, stating("f" * 64), known)) == ["manifest"]


def test_runs_without_a_subset_are_compared_with_a_given_manifest(
    follows: Make, protocol: Protocol, manifest: Manifest
) -> None:
    bare = {"subset": "", "subset_sha256": "", "subset_samples": 0}
    both = entry(follows("reason", **bare), follows("reaction", **bare))
    assert check_protocol(both, protocol, manifest).followed
    check = check_protocol(both, protocol, None)
    assert (failed(check), check.subset, check.mark) == (["subset"], None, "not infer-v1: 1 point")


def test_entries_join_the_kinds_of_one_system_and_setting(follows: Make) -> None:
    def of(kind: str, **other: Any) -> Run:
        return follows(kind, **other)

    # By default reactions are inferred from more than reasons.
    runs = [of("reason"), of("reaction", context="lookahead"), of("reason", effort="low"), of("reaction", effort="low")]
    runs += [of("reason", control="parrot", model="control parrot")]
    found = entries(Runs(runs))
    assert [(e.reason, e.reaction) for e in found] == [(runs[0], runs[1]), (runs[2], runs[3]), (runs[4], None)]
    assert [each.runs for each in found][-1] == (runs[4],)
    # In two contexts each pairs with its own.
    several = [of("reason"), of("reason", context="lookahead"), of("reaction", context="lookahead"), of("reaction")]
    assert [(e.reason, e.reaction) for e in entries(Runs(several))] == [
        (several[0], several[3]), (several[1], several[2]),
    ]  # fmt: skip
    # Runs with prompts of one's own do not pair with those with ours.
    prompts = [of("reason", prompt_hash="a", prompt_file="a.md"), of("reason"), of("reaction")]
    assert [(e.reason, e.reaction) for e in entries(Runs(prompts))] == [(prompts[1], prompts[2]), (prompts[0], None)]
    # Answers of one system in a file for each kind, beside a model of that very name.
    files = [of("reason", answers_file="a (sha256 1)"), of("reaction", answers_file="b (sha256 2)"), of("reason")]
    assert [(e.reason, e.reaction) for e in entries(Runs(files))] == [(files[0], files[1]), (files[2], None)]
    # Which of two files of reasons belongs to those of reactions cannot be told.
    files[2] = of("reason", answers_file="c (sha256 3)")
    assert [(e.reason, e.reaction) for e in entries(Runs(files))] == [
        (files[0], None), (None, files[1]), (files[2], None),
    ]  # fmt: skip


def test_models_are_compared_with_the_manifest_on_this_machine(
    follows: Make, protocol: Protocol, manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    runs = [follows("reason"), follows("reaction"), follows("reason", control="parrot", model="control parrot")]
    plain = follows("reason", model="xai/other", evaluated="xai/other", subset="")
    less = [with_rows(run, run.rows.assign(id=[f"{n}" for n in range(20)])) for run in runs[:2]]
    ((_, check),) = check_models(Runs([*runs, plain]))
    assert check.followed
    # By the number of samples alone the wrong ones would pass.
    ((_, unknown),) = check_models(Runs(less))
    assert unknown.followed
    path = manifest_path("mini-v1", protocol.data.revision)
    path.parent.mkdir(parents=True)
    path.write_text(manifest.model_dump_json(), encoding="utf-8")
    ((_, known),) = check_models(Runs(less))
    assert failed(known) == ["samples missing", "samples outside"]
    # Nobody named a manifest here: one that is damaged must not stop a report, and counts as none.
    for damaged in (manifest.model_dump_json().replace("user0_", "user00_"), "{", ""):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(UserError, match="anew with `thoughttrace subset DATA mini-v1`"):
            kept_manifest("mini-v1", protocol.data.revision)
        ((_, without),) = check_models(Runs(less))
        assert without.followed
    (said,) = caplog.messages
    assert said == (
        f"{path}: the manifest of mini-v1 is damaged or was altered; make it anew with `thoughttrace subset DATA "
        "mini-v1`."
    )
