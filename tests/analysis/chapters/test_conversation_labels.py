"""Relations and topics in the report, against independent computations."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import special, stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.regression.linear_model import OLS

from thoughttrace.analysis.chapters.conversation_labels import Of, chapter, labellers, shares
from thoughttrace.analysis.chapters.methods import sources
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.runs import Runs, read_runs
from thoughttrace.cli.main import main
from thoughttrace.core import record
from thoughttrace.datasets.taxonomy import DOMAINS, RELATIONS, SUBTOPICS
from thoughttrace.tasks.label_topic import label_topic
from thoughttrace.tasks.relate_messages import relate_messages

RELATED, TOPIC = "relation:thoughttrace/relate_messages:", "topic:thoughttrace/label_topic:"


def frame(said: dict[str, tuple[str, Any]], of: str) -> pd.DataFrame:
    """What was said, read from the logs by other means."""
    rows = [(key.removeprefix(of), answer, value) for key, (answer, value) in said.items() if key.startswith(of)]
    table = pd.DataFrame(rows, columns=["id", "answer", "value"])
    return table.assign(user=table["id"].str.partition("_")[0])


@pytest.fixture
def found(tmp_path: Path) -> Callable[[], Runs]:
    return lambda: read_runs([str(tmp_path / "labels")])


def test_only_replies_without_a_label_count_as_not_scored(label: Callable[..., Any], found: Callable[[], Runs]) -> None:
    replies = label(relate_messages, label_topic)
    rows = {row.task: row.missing for row in sources(Evidence(found())).sections[0].rows}
    for task, prefix in ((record.RELATE, RELATED), (record.TOPIC, TOPIC)):
        lost = (frame(replies, prefix)["answer"] == "").sum()
        assert rows[task.name] == (f"{lost} unparsable" if lost else "none")


@pytest.mark.parametrize(("of", "names", "prefix"), [("relation", RELATIONS, RELATED), ("domain", DOMAINS, TOPIC)])
def test_shares_equal_independent_computations(
    of: Any, names: tuple[str, ...], prefix: str, label: Callable[..., Any], found: Callable[[], Runs]
) -> None:
    said = frame(label(relate_messages, label_topic), prefix)
    known = said[said["answer"] != ""]
    lost = len(said) - len(known)
    assert lost > 0 or of == "domain"
    task = record.RELATE if of == "relation" else record.TOPIC
    table = pd.DataFrame(shares(found().of(task), of))
    assert tuple(table["name"]) == names
    for row in table.to_dict("records"):
        has = known["value"].map(lambda value, name=row["name"]: value[name]).astype(float)
        assert (row["count"], row["n"], row["samples"]) == (has.sum(), len(known), len(said))
        assert row["mean"] == pytest.approx(has.mean())
        assert row["coverage"] == len(known) / len(said)
        assert row["missing"] == (f"{lost} unparsable" if lost else "")
        if 0 < has.sum() < len(has):
            codes = pd.factorize(known["user"])[0]
            fitted = OLS(has.to_numpy(), np.ones(len(has))).fit(cov_type="cluster", cov_kwds={"groups": codes})
            # CR2 lies close to statsmodels' CR1, and its t has fewer degrees of freedom.
            shift = 2.2 * fitted.bse[0] / (has.mean() * (1 - has.mean()))
            ends = special.expit(special.logit(has.mean()) + np.array([-shift, shift]))
            assert (row["lower"], row["upper"]) == pytest.approx(tuple(ends), abs=0.05)


def test_published_shares_are_shown(label: Callable[..., Any], found: Callable[[], Runs]) -> None:
    label(relate_messages, label_topic)
    runs = found()
    related = pd.DataFrame(shares(runs.of(record.RELATE), "relation")).set_index("name")
    assert related["published"].to_dict() == pytest.approx(
        {"first": 0.252, "extend": 0.57, "re_attempt": 0.029, "variation": 0.023, "new_request": 0.125}
    )
    assert set(related["status"]) == {"reported"}
    domains = pd.DataFrame(shares(runs.of(record.TOPIC), "domain")).set_index("name")
    assert domains.loc["Culture & Lifestyle", "published"] == pytest.approx(0.371)
    assert set(domains["status"]) == {"stated"}


def test_kappa_equals_that_of_scikit_learn(label: Callable[..., Any], found: Callable[[], Runs]) -> None:
    def other(messages: list[Any]) -> str:
        if '"relation"' in messages[0].text:
            return f'{{"rationale": "x", "relation": "{RELATIONS[1 + len(messages[1].text) % 4]}"}}'
        return f'{{"rationale": "x", "subtopics": ["{[*SUBTOPICS][len(messages[1].text) % 36]}", "travel"]}}'

    first = label(relate_messages, label_topic)
    second = label(relate_messages, label_topic, model="bob", reply=other)
    runs = found()
    table = pd.DataFrame(labellers(runs.of(record.RELATE), runs.of(record.TOPIC)))
    assert len(table) == 1 + len(DOMAINS)
    for row in table.to_dict("records"):
        prefix = RELATED if row["of"] == "relation" else TOPIC
        pair = frame(first, prefix).merge(frame(second, prefix), on="id")
        pair = pair[(pair["answer_x"] != "") & (pair["answer_y"] != "") & (pair["answer_x"] != "first")]
        if row["of"] == "relation":
            x, y = pair["answer_x"], pair["answer_y"]
        else:
            x, y = (pair[side].map(lambda value, name=row["name"]: value[name]) for side in ("value_x", "value_y"))
        assert (row["n"], row["alike"]) == (len(pair), pytest.approx((x == y).mean()))
        if len({*x, *y}) > 1:
            assert row["kappa"] == pytest.approx(cohen_kappa_score(x, y))
            assert row["lower"] <= row["kappa"] <= row["upper"] or row["note"]
        else:
            assert row["note"] == "both are all one type: no estimate"


def test_the_report_has_a_chapter(label: Callable[..., Any], found: Callable[[], Runs], tmp_path: Path) -> None:
    label(relate_messages, label_topic)
    out = tmp_path / "report"
    done = CliRunner().invoke(main, ["report", str(tmp_path / "labels"), "-o", str(out)])
    assert done.exit_code == 0, done.output
    page = (out / "index.html").read_text()
    assert '<h2 id="chapter_conversations">Conversations</h2>' in page
    for name in ("conversations_relations", "conversations_domains"):
        assert {f"{name}.{ending}" for ending in ("csv", "svg", "png")} <= {f.name for f in out.iterdir()}
    table = pd.read_csv(out / "conversations_relations.csv").set_index("name")
    assert table.loc["first", "count"] == 12
    assert not list(out.glob("conversations_labellers*"))


def test_few_labels_are_called_too_small(label: Callable[..., Any], found: Callable[[], Runs]) -> None:
    label(label_topic)
    runs = found()
    (run,) = runs.of(record.TOPIC)
    few = replace(run, rows=run.rows[run.rows["user"].isin(["user1", "user2"])])
    table = pd.DataFrame(shares([few], "domain"))
    assert table["mean"].isna().all()
    assert table["note"].str.startswith("too small").all()
    assert chapter(Evidence(Runs())).filled == []


def test_shares_of_all_labels_add_up_to_one_and_count_each_domain_of_a_conversation_once(
    label: Callable[..., Any], found: Callable[[], Runs]
) -> None:
    label(relate_messages, label_topic)
    (run,) = found().of(record.TOPIC)
    # 12 users, a conversation each: 6 on travel and on food, twice; 6 on two programming subtopics.
    answers = ["food_and_cooking; travel; programming"] * 6 + ["programming; " + _other_in("programming")] * 6
    rows = pd.DataFrame({"user": [f"user{n}" for n in range(12)], "answer": answers, "reason": None, "epoch": 1})
    run = replace(run, rows=rows, planned_replies=12)
    table = pd.DataFrame(shares([run], "domain")).set_index("name")
    culture, technology = SUBTOPICS["travel"], SUBTOPICS["programming"]
    # Domains given: 6 of Culture & Lifestyle (food and travel are both of it), 12 of the other: 18 in all.
    assert table["of_labels"].sum() == pytest.approx(1)
    assert table.loc[[culture, technology], "of_labels"].tolist() == pytest.approx([6 / 18, 12 / 18])
    assert table.loc[[culture, technology], "mean"].tolist() == pytest.approx([0.5, 1.0])
    # By the linearized ratio, sum of (has - share * given): CR2 lies close to it, and the limits are on the logit.
    has, given = np.array([1.0] * 6 + [0.0] * 6), np.array([2.0] * 6 + [1.0] * 6)
    error = np.sqrt(((has - given / 3) ** 2).sum() * 12 / 11) / 18
    for end, sign in (("of_labels_lower", -1), ("of_labels_upper", 1)):
        limit = special.expit(special.logit(1 / 3) + sign * stats.t.ppf(0.975, 11) * error / (1 / 3 * 2 / 3))
        assert table.loc[culture, end] == pytest.approx(limit, abs=0.02)
    subtopics = pd.DataFrame(shares([run], "subtopic")).set_index("name")
    assert subtopics.loc["programming", "of_labels"] == pytest.approx(12 / 30)
    related = pd.DataFrame(shares(found().of(record.RELATE), "relation"))
    assert related["of_labels"].isna().all()


def test_subtopics_no_longer_known_are_no_labels_and_few_conversations_have_no_shares_of_them(
    label: Callable[..., Any], found: Callable[[], Runs]
) -> None:
    label(label_topic)
    (run,) = found().of(record.TOPIC)
    answers = ["travel; once_a_subtopic"] * 6 + ["programming"] * 5 + ["once_a_subtopic"]
    rows = pd.DataFrame({"user": [f"user{n}" for n in range(12)], "answer": answers, "reason": None, "epoch": 1})
    run = replace(run, rows=rows, planned_replies=12)
    names: dict[Of, str] = {"domain": SUBTOPICS["travel"], "subtopic": "travel"}
    for of, name in names.items():
        table = pd.DataFrame(shares([run], of)).set_index("name")
        assert table["of_labels"].sum() == pytest.approx(1)
        assert table.loc[name, "of_labels"] == pytest.approx(6 / 11)
    # 9 conversations have 18 domains: too few of them, however many labels they have.
    two = rows.assign(answer=f"travel; {next(s for s, domain in SUBTOPICS.items() if domain != SUBTOPICS['travel'])}")
    few = pd.DataFrame(shares([replace(run, rows=two[:9])], "domain"))
    assert few["mean"].isna().all()
    assert few["of_labels"].isna().all()
    assert few["of_labels_note"].str.startswith("too small").all()


def _other_in(subtopic: str) -> str:
    """Another subtopic of the same domain."""
    return next(name for name, domain in SUBTOPICS.items() if domain == SUBTOPICS[subtopic] and name != subtopic)
