"""Preference pairs: what is dropped and why, whose they are, equal sizes, what length tells, and wrong rows."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from thoughttrace.core.errors import UserError
from thoughttrace.datasets.pairs import Arm, Pair, Rewrite, Turn, check_pairs, make_arms, match_sizes, write_pairs
from thoughttrace.datasets.pairs_card import card, lengths_of, shared_replies
from thoughttrace.datasets.split import Split

# Two users each; a split is read from a file only, where its checksum is compared.
SPLIT = Split(
    rule="r", why="w", data="d", data_revision="1", sha256="0" * 64,
    users={"train": ["ann", "bob"], "dev": ["cat"], "test": ["dan"]},
)  # fmt: skip


def rewrite(
    user: str, number: int = 0, text: str = "new", unscored: str = "", declined: bool = False, **given: Any
) -> Rewrite:
    usual: dict[str, Any] = {
        "signal": "thought", "answers_complaint": 4.0, "keeps_request": 5.0, "message_dissatisfied": "",
    }  # fmt: skip
    pair = Pair.model_construct(
        prompt=given.pop("prompt", [Turn(role="user", content=f"question {number} of {user}")]),
        chosen=[Turn.model_construct(role="assistant", content=text)],
        rejected=[Turn(role="assistant", content=given.pop("reply", "old words"))],
        id=f"{user}_task1_conversation1/m{number:02}/rewrite",
        conversation=f"{user}_task1_conversation1",
        user=user,
        part="train",
        judges=["j"],
        rewriter="m",
        assistant_model="a",
        data="d",
        data_revision="1",
        messages_left_out=0,
        **usual | given,
    )
    return Rewrite(pair, unscored, declined)


def arm(*rewrites: Rewrite, **options: Any) -> Arm:
    (made,) = make_arms({rewrites[0].pair.signal: rewrites}, SPLIT, **options).values()
    return made


def names(pairs: Sequence[Pair]) -> list[str]:
    return [f"{pair.user} {int(pair.id.split('/')[1][1:])}" for pair in pairs]


GOOD = rewrite("ann", 90)


@pytest.mark.parametrize(
    ("odd", "options", "why"),
    [
        (rewrite("ann"), {}, None),
        (rewrite("ann"), {"min_score": 4}, None),
        (rewrite("ann"), {"min_score": 4.5}, "below min score"),
        (rewrite("ann", keeps_request=3.0), {"min_score": 4}, "below min score"),
        (rewrite("ann", unscored="judge_unparsable", answers_complaint=None, keeps_request=None), {}, None),
        (rewrite("ann", unscored="judge_failed", answers_complaint=None, keeps_request=None), {"min_score": 1},
         "not rated"),
        (rewrite("ann", text="", unscored="refusal", answers_complaint=1.0), {}, "refused"),
        (rewrite("ann", declined=True), {}, "refused"),
        (rewrite("ann", text="", unscored="no_response"), {}, "empty"),
        (rewrite("ann", text="new but", unscored="truncated"), {}, "cut off"),
        (rewrite("ann", text="", unscored="prompt_too_long"), {}, "no rewrite"),
        (rewrite("ann", text="  "), {}, "no rewrite"),
        (rewrite("ann", text=" old  words\n"), {}, "unchanged"),
        (rewrite("ann", prompt=[Turn(role="user", content="q"), Turn.model_construct(role="assistant", content=" \n"),
                                Turn(role="user", content="q")]), {}, "no chat"),
        (rewrite("dan"), {}, "test user"),
        (rewrite("dan", text="", unscored="refusal"), {}, "test user"),
        (rewrite("ann", 90, text="another"), {}, "duplicate"),
    ],
)  # fmt: skip
def test_what_is_dropped_and_why(odd: Rewrite, options: dict[str, Any], why: str | None) -> None:
    good = rewrite("ann", 90, answers_complaint=5.0)
    made = arm(good, odd, **options)
    assert dict(made.dropped) == ({why: 1} if why else {})
    assert names(made.pairs["train"]) == ["ann 90", *["ann 0"] * (why is None)]
    assert made.rewrites == 2


@pytest.mark.parametrize(
    ("said", "any_message", "why"),
    [
        ("yes", False, None),
        ("no", False, "next message not dissatisfied"),
        ("", False, "undecided"),
        ("no", True, None),
        ("", True, None),
    ],
)
def test_a_message_without_dissatisfaction_is_no_signal(said: str, any_message: bool, why: str | None) -> None:
    about: dict[str, Any] = {"signal": "message", "message_dissatisfied": said}
    good = rewrite("ann", 90, **about | {"message_dissatisfied": "yes"})
    assert dict(arm(good, rewrite("ann", **about), any_message=any_message).dropped) == ({why: 1} if why else {})
    gone = rewrite("ann", 1, text="", unscored="no_signal", **about | {"message_dissatisfied": "no"})
    assert dict(arm(good, gone, any_message=any_message).dropped) == {"next message not dissatisfied": 1}


def test_a_log_without_the_chat_is_a_mistake() -> None:
    with pytest.raises(UserError, match="sample ann_task1_conversation1/m00/rewrite: prompt: List should have"):
        arm(rewrite("ann", prompt=[]))


def test_nobody_of_validation_or_test_is_in_training() -> None:
    made = arm(*(rewrite(user, n) for n in range(3) for user in ("dan", "cat", "bob", "ann")))
    assert {part: {pair.user for pair in pairs} for part, pairs in made.pairs.items()} == {
        "train": {"ann", "bob"}, "dev": {"cat"},
    }  # fmt: skip
    assert {pair.part for pair in made.pairs["dev"]} == {"dev"}
    assert made.dropped == {"test user": 3}


def test_what_a_test_or_validation_user_wrote_word_for_word_is_not_trained_on() -> None:
    same = [Turn(role="user", content="Hi")]
    made = arm(rewrite("ann", 1), rewrite("ann", prompt=same), rewrite("cat", prompt=same), rewrite("cat", 1),
               rewrite("dan", prompt=[Turn(role="user", content=" Hi ")]))  # fmt: skip
    assert (names(made.pairs["train"]), names(made.pairs["dev"])) == (["ann 1"], ["cat 1"])
    assert made.dropped == {"test user": 1, "duplicate": 2}
    other = arm(rewrite("ann", prompt=same), rewrite("cat", prompt=same, reply="another reply"))
    assert other.dropped == {}


def test_users_out_of_the_split_and_arms_without_training_are_mistakes() -> None:
    with pytest.raises(UserError, match=r"1 of the users in these logs are not in the split, such as 'eve'"):
        arm(rewrite("eve"))
    with pytest.raises(UserError, match="No pair of the signal thought is for training: 1 test user, 1 refused"):
        arm(rewrite("dan"), rewrite("ann", declined=True))


def test_equal_sizes_are_of_the_same_replies_where_they_can_be() -> None:
    """Thought has replies 0–9, message 6–12: six for both are 6–9, and two more of each by lot."""
    arms = make_arms(
        {
            "thought": [rewrite("ann", n) for n in range(10)] + [rewrite("cat", n) for n in range(2)],
            "message": [rewrite("ann", n, signal="message", message_dissatisfied="yes") for n in range(6, 12)]
            + [rewrite("cat", n, signal="message", message_dissatisfied="yes") for n in range(5)],
        },
        SPLIT,
    )
    matched = match_sizes(arms, 0)
    sizes = [[len(made.pairs[part]) for made in matched.values()] for part in ("train", "dev")]
    assert sizes == [[6, 6], [2, 2]]
    shared = {f"ann {n}" for n in range(6, 10)}
    assert all(shared < {*names(made.pairs["train"])} for made in matched.values())
    assert (shared_replies(matched, "train"), shared_replies(matched, "dev")) == (4, 2)
    assert [made.dropped["not matched"] for made in matched.values()] == [4, 3]
    assert [made.rewrites for made in matched.values()] == [made.rewrites for made in arms.values()]
    chosen = {seed: tuple(names(match_sizes(arms, seed)["thought"].pairs["train"])) for seed in range(5)}
    assert chosen[0] == tuple(names(match_sizes(arms, 0)["thought"].pairs["train"]))
    assert len({*chosen.values()}) > 1


def test_length_alone_is_measured() -> None:
    made = arm(
        rewrite("ann", 1, text="one two three"),
        rewrite("ann", 2, text="one two three four five"),
        rewrite("bob", 1, text="one"),
        rewrite("bob", 2, text="one two"),  # as long as the reply
        rewrite("cat", 1, text="one"),
        rewrite("cat", 2, text="one two three"),
        rewrite("cat", 3, text="one"),
    )
    found = lengths_of(made.pairs["train"])
    assert (found.pairs, found.chosen, found.rejected, found.longer) == (4, 2.5, 2, (1 + 1 + 0 + 0.5) / 4)
    # In training the longer message is chosen more often; in validation that is right once in three.
    assert lengths_of(made.pairs["dev"]).told_by_length(longer_is_chosen=True) == pytest.approx(1 / 3)
    text = card({"thought": made}, {"data": "d"})
    assert "| thought | train | 4 | 2.5 | 2 | 62% | 62% |" in text
    assert "| thought | validation | 3 | 1 | 2 | 33% | 33% |" in text


def test_a_card_says_how_long_prompts_are() -> None:
    """Ten prompts of 3 to 11 and 40 words, in three messages each."""

    def prompt(words: int) -> list[Turn]:
        roles = {"user": "one", "assistant": "two " * (words - 2), "last": "three"}
        return [Turn(role="assistant" if role == "assistant" else "user", content=text) for role, text in roles.items()]

    made = arm(*(rewrite("ann", n, prompt=prompt(n)) for n in (*range(3, 12), 40)))
    assert "Prompts have 7.5 (median), nine in ten at most 11, the longest 40 words." in card({"thought": made}, {})


def test_a_card_counts_what_was_dropped() -> None:
    made = arm(GOOD, rewrite("ann", declined=True), rewrite("dan"), rewrite("bob", text="", unscored="no_response"))
    text = card({"thought": made}, {"data": "d, revision 1"})
    counts = {"rewrites": 4, "dropped: test user": 1, "dropped: refused": 1, "dropped: empty": 1,
              "pairs in train.jsonl": 1, "users in train.jsonl": 1, "pairs in validation.jsonl": 0}  # fmt: skip
    for line in ("- data: d, revision 1", *(f"| {name} | {number} |" for name, number in counts.items())):
        assert line in text.splitlines()
    assert "cut off" not in text


# ---- files


@pytest.fixture
def written(tmp_path: Path) -> Path:
    line_break = "one\u2028two \x85 three"  # what `splitlines` takes for the end of a line
    chat = [Turn(role="user", content="q"), Turn(role="assistant", content="a"), Turn(role="user", content=line_break)]
    made = arm(rewrite("ann", prompt=chat), rewrite("bob", answers_complaint=None, keeps_request=None), rewrite("cat"))
    write_pairs(tmp_path, {"thought": made}, "card")
    return tmp_path


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").strip("\n").split("\n")]


def test_rows_are_in_the_trainers_form_with_their_origin(written: Path) -> None:
    train = rows(written / "thought/train.jsonl")
    assert [row["user"] for row in train] == ["ann", "bob"]
    assert train[0]["prompt"][-1] == {"role": "user", "content": "one\u2028two \x85 three"}
    assert train[0]["chosen"] == [{"role": "assistant", "content": "new"}]
    assert train[0]["rejected"] == [{"role": "assistant", "content": "old words"}]
    assert train[0].keys() == Pair.model_fields.keys()
    assert (train[1]["answers_complaint"], train[1]["data_revision"], train[1]["part"]) == (None, "1", "train")
    assert check_pairs(written, SPLIT) == {
        written / "thought/train.jsonl": 2, written / "thought/validation.jsonl": 1,
    }  # fmt: skip


def said(role: str, content: str = "x") -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"prompt": []}, "prompt: List should have at least 1 item"),
    ({"prompt": "hello"}, "prompt: Input should be a valid array"),
    ({"prompt": said("assistant")}, "prompt: does not end with the user's message"),
    ({"prompt": [*said("user"), *said("system"), *said("user")]}, "prompt: has a system message that is not its first"),
    ({"chosen": [*said("assistant"), *said("assistant")]}, "chosen: List should have at most 1 item"),
    ({"chosen": said("user")}, "chosen: is not the assistant's message"),
    ({"rejected": said("bot")}, "rejected.0.role: Input should be"),
    ({"rejected": said("assistant", " \n")}, "rejected.0.content: String should match pattern"),
    ({"chosen": said("assistant", "old  words")}, "chosen: is the rejected message"),
    ({"answers_complaint": 6}, "answers_complaint: Input should be less than or equal to 5"),
    ({"signal": "thoughts"}, "signal: Input should be 'thought', 'message' or 'none'"),
    ({"data_revision": ""}, "data_revision: String should have at least 1 character"),
    ({"part": "dev"}, "part: is dev, whose rows are in validation.jsonl"),
    ({"user": "cat"}, "user 'cat' is in train; by the split they are in dev"),
    ({"user": "eve"}, "user 'eve' is in train; by the split they are not in it"),
    ({"id": "ann_task1_conversation1/m00/rewrite"}, "id: 'ann_task1_conversation1/m00/rewrite' is that of line 1 too"),
]


@pytest.mark.parametrize(("change", "fault"), WRONG)
def test_a_wrong_row_is_named_by_its_file_and_line(change: dict[str, Any], fault: str, written: Path) -> None:
    file = written / "thought/train.jsonl"
    first, second = rows(file)
    lines = [json.dumps(first), json.dumps(second | change)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(UserError) as error:
        check_pairs(written, SPLIT)
    assert f"{file}, line 2: {fault}" in str(error.value)


@pytest.mark.parametrize(("line", "fault"), [("{", "Invalid JSON"), ("", "Invalid JSON"), ("[]", "Input should be an")])
def test_a_line_that_is_no_row_is_named(line: str, fault: str, written: Path) -> None:
    file = written / "thought/validation.jsonl"
    file.write_text(f"{file.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")
    with pytest.raises(UserError, match=f"line 2: {fault}"):
        check_pairs(written)


def test_a_line_that_is_not_utf_8_is_named(written: Path) -> None:
    file = written / "thought/train.jsonl"
    file.write_bytes(file.read_bytes() + "{ü".encode("latin-1") + b"\n")
    with pytest.raises(UserError, match=r"train.jsonl, line 3: is not UTF-8 from its byte 2 on"):
        check_pairs(written)


def test_a_user_in_both_files_is_named_without_a_split_too(written: Path) -> None:
    file = written / "thought/validation.jsonl"
    (row,) = rows(file)
    file.write_text(json.dumps(row | {"user": "bob"}) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"validation.jsonl, line 1: user 'bob' is in .*train.jsonl, line 2 too"):
        check_pairs(written)


def test_a_missing_column_and_a_folder_without_pairs_are_named(written: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match=r"holds no train.jsonl or validation.jsonl"):
        check_pairs(tmp_path / "other")
    file = written / "thought/train.jsonl"
    first, _ = rows(file)
    del first["rejected"]
    file.write_text(json.dumps(first) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 1: rejected: Field required"):
        check_pairs(written)
