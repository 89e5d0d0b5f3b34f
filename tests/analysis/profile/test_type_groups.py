"""Types of thoughts by length, relation and topic: counts and shares by hand, on conversations that are known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from thoughttrace.analysis.profile.tables import Tables, build_tables
from thoughttrace.analysis.profile.type_groups import by_domain, by_length, by_relation, type_groups_chapter
from thoughttrace.cli.main import main
from thoughttrace.core.errors import UserError
from thoughttrace.datasets.load import load_conversations

MOTIVATION, CONTINUATION, GLAD, SCOPE = "task_motivation", "task_continuation", "explicit_affirmation", "scope_fit"


@pytest.fixture
def data(make_conversation: Callable[..., dict[str, Any]], write: Callable[..., Path]) -> Path:
    """Twelve users: six with conversations of two turns, six with three.

    Each first message has a motivation, each later one a continuation; the first reply pleases nobody.
    """
    records = [make_conversation(f"user{n}", turns=2 + n // 6) for n in range(12)]
    for record in records:
        for index, message in enumerate(record["messages"]):
            for key, label in (
                ("reasons", CONTINUATION if index else MOTIVATION), ("reactions", GLAD if index > 1 else SCOPE),
            ):  # fmt: skip
                if message.get(key):
                    message[key] = [message[key][0] | {"label": label}]
    return write(*records)


@pytest.fixture
def tables(data: Path) -> Tables:
    return build_tables(load_conversations(data).conversations)


@pytest.fixture
def annotations(tables: Tables) -> pd.DataFrame:
    """First messages are `first`, the second `re_attempt`, the third `extend`; even users talk of two domains."""
    rows: list[dict[str, Any]] = []
    for user, (name, turns) in enumerate(zip(tables.conversations["id"], tables.conversations["turns"], strict=True)):
        domains = "Culture & Lifestyle; Other" if user % 2 == 0 else "Technology"
        rows.append({"conversation": name, "message_index": None, "domains": domains, "domains_model": "ann"})
        rows += [
            {"conversation": name, "message_index": 2 * turn, "relation": relation, "relation_model": "bob"}
            for turn, relation in enumerate(("first", "re_attempt", "extend")[:turns])
        ]
    return pd.DataFrame(rows).assign(user="u").astype({"message_index": "Int64"})


def test_types_by_length_are_counted_by_the_turns_of_the_conversation(tables: Tables) -> None:
    table = pd.DataFrame(by_length(tables)).set_index(["kind", "group", "type"]).sort_index()
    short, long = table.loc[("reason", "1–2")], table.loc[("reason", "3–4")]
    assert short.loc[[MOTIVATION, CONTINUATION], ["count", "n"]].values.tolist() == [[6, 12], [6, 12]]
    assert long.loc[[MOTIVATION, CONTINUATION], ["count", "n"]].values.tolist() == [[6, 18], [12, 18]]
    assert long.loc[MOTIVATION, "mean"] == pytest.approx(1 / 3)
    assert short.loc["style_expectation", "mean"] == 0


def test_a_reaction_is_grouped_by_the_message_before_it_and_by_the_one_after(
    tables: Tables, annotations: pd.DataFrame
) -> None:
    table = pd.DataFrame(by_relation(tables, annotations))
    counts = {
        (row["kind"], row["message"], row["group"], row["type"]): (row["count"], row["n"])
        for row in table.to_dict("records")
        if row["count"]
    }
    assert counts == {
        ("reason", "of the message", "first", MOTIVATION): (12, 12),
        ("reason", "of the message", "re_attempt", CONTINUATION): (12, 12),
        ("reason", "of the message", "extend", CONTINUATION): (6, 6),
        ("reaction", "of the message before", "first", SCOPE): (12, 12),
        ("reaction", "of the message before", "re_attempt", GLAD): (12, 12),
        ("reaction", "of the message before", "extend", GLAD): (6, 6),
        ("reaction", "of the next message", "re_attempt", SCOPE): (12, 12),
        ("reaction", "of the next message", "extend", GLAD): (6, 6),
    }
    small = table[(table["group"] == "extend") & (table["kind"] == "reason")]
    assert small["mean"].isna().all()
    assert small["note"].str.startswith("too small").all()


def test_a_conversation_counts_in_each_of_its_domains(tables: Tables, annotations: pd.DataFrame) -> None:
    rows = by_domain(tables, annotations)
    # Of each six users three have two turns and three have three.
    assert {row.group: row.n for row in rows if (row.kind, row.type) == ("reason", MOTIVATION)} == {
        "Culture & Lifestyle": 15, "Technology": 15, "Other": 15,
    }  # fmt: skip


def test_annotations_of_other_data_or_without_groups_are_refused(tables: Tables, annotations: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="no thought of this data is annotated"):
        type_groups_chapter(tables, annotations.assign(conversation="not " + annotations["conversation"]))
    with pytest.raises(UserError, match="neither relations nor domains"):
        type_groups_chapter(tables, annotations.drop(columns=["relation", "domains"]))


def test_the_page_shows_the_groups(data: Path, annotations: pd.DataFrame, tmp_path: Path) -> None:
    table = tmp_path / "annotations.parquet"
    annotations.to_parquet(table)
    out = tmp_path / "page"
    done = CliRunner().invoke(main, ["profile", str(data), "-o", str(out), "--annotations", str(table)])
    assert done.exit_code == 0, done.output
    page = (out / "index.html").read_text(encoding="utf-8")
    for name in ("thoughts_by_length", "thoughts_by_relation", "thoughts_by_domain"):
        assert f'id="{name}"' in page
        assert (out / f"{name}.csv").stat().st_size
    for name in ("thoughts_by_relation_reaction_next_message", "thoughts_by_domain_reason"):
        assert (out / f"{name}.svg").stat().st_size
    assert "as labelled by bob (relate_messages)" in page
    refused = CliRunner().invoke(main, ["profile", str(data), "--annotations", str(table)])
    assert refused.exit_code
    assert "--annotations needs -o FOLDER" in refused.output
