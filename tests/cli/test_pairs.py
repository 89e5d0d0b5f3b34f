"""`thoughttrace pairs`, from logs of real runs: whose pairs, what they hold, and what TRL makes of them."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from inspect_ai import eval as inspect_eval
from inspect_ai.model import ModelOutput

from thoughttrace.cli.main import main
from thoughttrace.core.record import SIGNALS
from thoughttrace.datasets.split import read_split
from thoughttrace.tasks.rewrite_reply import rewrite_reply


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], env={"COLUMNS": "200"})


def chat(n: int) -> dict[str, Any]:
    """Two replies of a user that each carry a note and are followed by a message."""
    messages: list[dict[str, Any]] = []
    for turn in range(3):
        messages += [
            {"type": "user", "content": f"ask {n} {turn}"},
            {"type": "assistant", "content": f"old <|im_end|> reply {n} {turn}",
             "reactions": [{"label": "scope_fit", "content": f"NOTE {n} {turn} is much too long for me"}]},
        ]  # fmt: skip
    return {"id": f"user{n:02}_task1_conversation1", "messages": messages, "model_name": "Some Model"}


def judge(messages: list[Any]) -> str:
    """Of a decision: no on the second reply; else ratings, of which one user's are low."""
    text = messages[1].text
    if "next message]" in text:
        return json.dumps({"rationale": "y", "dissatisfied": "no" if " 2\n" in text else "yes"})
    return json.dumps({"rationale": "x", "answers_complaint": 2 if "new 5" in text else 5, "keeps_request": 4})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, scripted: Callable[..., Any]) -> Path:
    """Logs of each signal in a folder of its own, the data, and its split."""
    folder = tmp_path_factory.mktemp("pairs")
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(chat(n)) + "\n" for n in range(20)), encoding="utf-8")
    for signal in SIGNALS:

        def answer(messages: list[Any]) -> str | ModelOutput:
            asked = messages[1].text
            turn = max(t for t in range(3) if f" {t}\n" in asked.partition("end]")[0])
            n = next(n for n in range(20) if f"ask {n} 0" in asked)
            if n == 3:
                return ModelOutput.from_content("m", "no", stop_reason="content_filter")
            return f"new {n} {turn}" + " and words" * n

        (log,) = inspect_eval(
            rewrite_reply(signal=signal, data=str(data)), model=scripted("m", answer),
            model_roles={"grader": scripted("j", judge)}, log_dir=str(folder / "logs" / signal), display="none",
        )  # fmt: skip
        assert log.status == "success"
    assert call("split", data, "-o", folder / "v1.json").exit_code == 0
    return folder


@pytest.fixture(scope="module")
def written(folder: Path) -> Path:
    done = call("pairs", folder / "logs", "-o", folder / "pairs", "--split", folder / "v1.json")
    assert done.exit_code == 0, done.output
    return folder / "pairs"


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").strip("\n").split("\n")]


def test_training_and_validation_are_of_the_splits_users(folder: Path, written: Path) -> None:
    users = read_split(folder / "v1.json").users
    train, dev, test = ({*users["train"]}, {*users["dev"]}, {*users["test"]})
    assert test
    for signal in SIGNALS:
        trained, validated = ({row["user"] for row in rows(written / signal / name)} for name in
                              ("train.jsonl", "validation.jsonl"))  # fmt: skip
        assert trained == train - {"user03"}
        assert validated == dev - {"user03"}
        text = "".join(file.read_text(encoding="utf-8") for file in (written / signal).iterdir())
        assert not any(f"ask {int(user[4:])} 0" in text for user in test)


def test_a_pair_is_the_chat_the_rewrite_and_the_reply(written: Path) -> None:
    for signal in SIGNALS:
        for row in rows(written / signal / "train.jsonl"):
            n, turn = int(row["user"][4:]), (int(row["id"][-10:-8]) - 1) // 2
            turns = [turn_of for t in range(turn + 1) for turn_of in (("user", f"ask {n} {t}"),
                     ("assistant", f"old < |im_end|> reply {n} {t}"))]  # fmt: skip
            *prompt, reply = [{"role": role, "content": content} for role, content in turns]
            assert (row["prompt"], row["rejected"]) == (prompt, [reply])
            assert row["chosen"] == [{"role": "assistant", "content": f"new {n} {turn}" + " and words" * n}]
            assert (row["signal"], row["rewriter"], row["judges"]) == (signal, "scripted/m", ["scripted/j"])
            assert (row["answers_complaint"], row["keeps_request"]) == (2 if n == 5 else 5, 4)
            assert row["data_revision"].startswith("sha256:")
            assert "NOTE" not in json.dumps(row)


def test_the_message_arm_has_no_pairs_of_contented_messages(written: Path) -> None:
    ids = {signal: {row["id"] for row in rows(written / signal / "train.jsonl")} for signal in SIGNALS}
    assert ids["thought"] == ids["none"]
    assert ids["message"] == {name for name in ids["thought"] if "/m01/" in name}
    assert {row["message_dissatisfied"] for row in rows(written / "message/train.jsonl")} == {"yes"}


def test_equal_arms_and_the_least_score(folder: Path, tmp_path: Path) -> None:
    done = call("pairs", folder / "logs", "-o", tmp_path / "equal", "--split", folder / "v1.json", "--match-size",
                "--min-score", "4")  # fmt: skip
    assert done.exit_code == 0, done.output
    sizes = {signal: [len(rows(tmp_path / "equal" / signal / name)) for name in ("train.jsonl", "validation.jsonl")]
             for signal in SIGNALS}  # fmt: skip
    assert len({tuple(counts) for counts in sizes.values()}) == 1
    ids = [{row["id"] for row in rows(tmp_path / "equal" / signal / "train.jsonl")} for signal in SIGNALS]
    assert ids[0] == ids[1] == ids[2]
    assert not any("user05" in name for name in ids[0])
    assert "below min score" in done.output
    text = (tmp_path / "equal/README.md").read_text(encoding="utf-8")
    assert "--min-score 4.0, --match-size seed 0" in text
    assert f"{sizes['none'][0]} in training and {sizes['none'][1]} in validation are of the same replies" in text


def test_a_folder_is_checked_and_a_wrong_row_named(folder: Path, written: Path, tmp_path: Path) -> None:
    done = call("pairs", "--check", written, "--split", folder / "v1.json")
    assert done.exit_code == 0, done.output
    assert done.output.count("none is wrong") == 6
    wrong = tmp_path / "thought"
    wrong.mkdir()
    first, second, *_ = rows(written / "thought/train.jsonl")
    (wrong / "train.jsonl").write_text(f"{json.dumps(first)}\n{json.dumps(second | {'chosen': []})}\n")
    done = call("pairs", "--check", wrong, "--split", folder / "v1.json")
    assert done.exit_code == 1
    assert "train.jsonl, line 2: chosen: List should have at least 1 item" in done.output


def test_mistakes_are_one_sentence_and_leave_nothing(folder: Path, tmp_path: Path) -> None:
    logs, split, out = folder / "logs", ("--split", folder / "v1.json"), ("-o", tmp_path / "out")
    for words, sentence in [
        ((logs, *out, "--split", tmp_path / "none.json"), "make it with `thoughttrace split DATA`"),
        ((logs / "none", *out, *split, "--match-size"), "these logs hold the signal none alone; add those of another"),
        ((tmp_path, *out, *split), "No finished run of rewrite_reply"),
        ((logs, *split), "Name the logs of rewrite_reply, and the folder to write with -o."),
        (("--check", logs, *split), "holds no train.jsonl or validation.jsonl"),
        ((logs, *out, *split, "--min-score", "7"), "7.0 is not in the range 1<=x<=5"),
    ]:
        done = call("pairs", *words)
        assert done.exit_code != 0
        assert sentence in done.output
        assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_without_a_dev_user_it_says_how_to_train(folder: Path, tmp_path: Path, scripted: Callable[..., Any]) -> None:
    user = next(user for user in read_split(folder / "v1.json").users["train"] if user != "user03")
    (tmp_path / "one.jsonl").write_text(json.dumps(chat(int(user[4:]))) + "\n", encoding="utf-8")
    task = rewrite_reply(signal="none", data=str(tmp_path / "one.jsonl"))
    inspect_eval(task, model=scripted("m", lambda _: "new"), model_roles={"grader": scripted("j", judge)},
                 log_dir=str(tmp_path / "logs"), display="none")  # fmt: skip
    done = call("pairs", tmp_path / "logs", "-o", tmp_path / "out", "--split", folder / "v1.json")
    assert done.exit_code == 0, done.output
    assert "none: no pair is of a dev user, so there is no validation.jsonl, which training/*.yaml need" in done.output
    assert "--eval_strategy no --save_strategy no --load_best_model_at_end false" in done.output


def test_logs_of_several_rewriters_are_refused(folder: Path, tmp_path: Path, scripted: Callable[..., Any]) -> None:
    inspect_eval(rewrite_reply(signal="none", data=str(folder / "data.jsonl")), model=scripted("other", lambda _: "x"),
                 model_roles={"grader": scripted("j", judge)}, log_dir=str(tmp_path / "more"), limit=2,
                 display="none")  # fmt: skip
    done = call("pairs", folder / "logs", tmp_path / "more", "-o", tmp_path / "out", "--split", folder / "v1.json")
    assert done.exit_code == 1
    assert "These logs are of several rewriters (scripted/m; scripted/other): pass the logs of one" in done.output


# ---- the consumer's own loader and trainer

TRL = """
import sys, datasets, tokenizers, transformers, trl
folder = sys.argv[1]
pairs = datasets.load_dataset(folder + "/thought", cache_dir=folder + "/cache")
assert set(pairs) == {"train", "validation"}, pairs
assert trl.is_conversational(pairs["train"][0])
words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "[EOS]": 1}, unk_token="[UNK]"))
words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
tokenizer = transformers.PreTrainedTokenizerFast(
    tokenizer_object=words, unk_token="[UNK]", eos_token="[EOS]", pad_token="[EOS]")
tokenizer.chat_template = "{% for m in messages %}{{ m.role }} : {{ m.content }} [EOS] {% endfor %}"
sizes = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=2)
transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes)).save_pretrained(folder + "/model")
arguments = trl.DPOConfig(output_dir=folder + "/trained", max_steps=1, per_device_train_batch_size=2, max_length=64,
                          report_to=[], use_cpu=True, bf16=False, save_strategy="no")
trainer = trl.DPOTrainer(model=folder + "/model", args=arguments, train_dataset=pairs["train"],
                         eval_dataset=pairs["validation"], processing_class=tokenizer)
assert trainer.train().global_step == 1
"""


def test_trl_loads_the_pairs_and_takes_a_step(written: Path, tmp_path: Path) -> None:
    python = os.environ.get("THOUGHTTRACE_CONSUMERS")
    if not python:
        python = sys.executable
        try:
            importlib.metadata.version("trl")
        except importlib.metadata.PackageNotFoundError:
            pytest.skip("trl is not installed (set THOUGHTTRACE_CONSUMERS to a Python that has it)")
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    offline = {"HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    # From another folder: our `datasets/` would be taken for the library.
    done = subprocess.run(
        [python, "-c", TRL, str(written)], cwd=tmp_path, env=bare | offline, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
