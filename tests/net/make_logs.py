# mypy: ignore-errors
"""How the logs of this folder were made, kept for the record; it ran with commit cedf1f9 and will not run later.

It names the modules of that commit, so it will not run after the restructuring that the logs are to hold. What it made
stands under `logs/`, by scenario:

- `infer`: three models on reasons and reactions, one judge; a context of its own, two epochs, cosine similarity, a log
  rescored by another judge (`agreement1`), a superseded run, and logs that did not finish or are damaged.
- `panel`: two models and four controls, each rated twice by three judges, one of which fails at times; a
  self-judged run.
- `versions`: version 1 of the tasks (run by commit 81d9fc5, the last with it) beside version 2.
- `next`: the next message by two models with every kind of thoughts, and the guesses that `inferred` shows.
- `labels`: the five tasks without a judge, by two labellers and the baseline.
- `cards`: two judges on the probes, two epochs.

`ratings.jsonl` holds ratings of two people, `annotations.parquet` what `thoughttrace annotate` made of `labels/gpt`.
All is Inspect's real pipeline on the bundled, invented sample. Only the providers are scripted: models of the names
`openai/…`, `anthropic/…` and `google/…` answer by a hash of what they are asked. Events and
messages are left out of most logs afterwards, for their size; `versions/old` keeps them.

    git worktree add /tmp/old 81d9fc5
    PYTHONPATH=src python tests/net/make_logs.py /tmp/old/src
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import get_model

sys.path.insert(0, str(Path(__file__).resolve().parent))
from scripted import CLAUDE, GEMINI, GPT, MINI, OPUS, PRO, drawn, failing, scripted_providers

HERE = Path(__file__).resolve().parent
LOGS = HERE / "logs"
FEW: dict[str, Any] = {"users": 6, "per_user": 2}
MORE: dict[str, Any] = {"users": 8, "per_user": 3}


def run(folder: str, task: Any, model: str, *judges: str, status: str = "success", **options: Any) -> Path:
    """Run a task; the log's path."""
    roles = {"grader": [get_model(judge, memoize=False) for judge in judges]} if judges else None
    (log,) = inspect_eval(
        task, model=get_model(model, memoize=False), model_roles=roles, log_dir=str(LOGS / folder), display="none",
        log_model_api=False, fail_on_error=options.pop("fail_on_error", False), **options,
    )  # fmt: skip
    if log.status != status:
        raise RuntimeError(f"{log.location}: {log.status}, {log.error and log.error.message}")
    print(log.location, Path(log.location).stat().st_size, flush=True)
    return Path(log.location)


def rescore(path: Path, scorer: Any, model: str, *judges: str) -> None:
    """Score a log once more, as `inspect score --action append --overwrite` does."""
    roles = {"grader": [get_model(judge, memoize=False) for judge in judges]} if judges else None
    log: EvalLog = inspect_score(
        read_eval_log(str(path)), scorer, action="append", display="none", model=get_model(model, memoize=False),
        model_roles=roles,
    )  # fmt: skip
    write_eval_log(log, str(path))


def old() -> None:
    """Runs of version 1; the older code stands on the path."""
    from thoughttrace.tasks.infer_reaction import infer_reaction
    from thoughttrace.tasks.infer_reason import infer_reason

    for task in (infer_reason, infer_reaction):
        for model in (GPT, CLAUDE):
            run("versions/old", task(**FEW), model, OPUS)


def infer() -> None:
    from thoughttrace.scorers.agreement import agreement
    from thoughttrace.tasks.infer_reaction import infer_reaction
    from thoughttrace.tasks.infer_reason import infer_reason

    run("infer", infer_reason(**MORE), GPT, OPUS)  # superseded
    run("infer", infer_reason(similarity=True, **MORE), GPT, OPUS)
    run("infer", infer_reason(**MORE), CLAUDE, OPUS)
    run("infer", infer_reason(**FEW), GEMINI, OPUS, epochs=2)
    run("infer", infer_reason(context="message", **MORE), GPT, OPUS)
    path = run("infer", infer_reaction(**MORE), GPT, OPUS)
    rescore(path, agreement(), GPT, PRO)
    run("infer", infer_reaction(**MORE), CLAUDE, OPUS)
    run("infer", infer_reaction(**MORE), GEMINI, OPUS)
    cancelled = read_eval_log(str(run("infer", infer_reason(users=2, per_user=2), CLAUDE, OPUS)))
    cancelled.status = "cancelled"
    write_eval_log(cancelled, cancelled.location)
    failed = run(
        "infer", infer_reaction(users=2, per_user=2), GPT, "mockllm/broken", status="error", fail_on_error=True
    )
    whole = failed.read_bytes()
    failed.with_name(f"2026-11-25T00-00-00-00-00_infer-reason_damaged{failed.suffix}").write_bytes(
        whole[: len(whole) // 2]
    )
    (LOGS / "infer/empty.eval").write_bytes(b"")


def panel() -> None:
    from thoughttrace.tasks.infer_reaction import infer_reaction
    from thoughttrace.tasks.infer_reason import infer_reason

    judges = (OPUS, MINI, PRO)
    failing.add(PRO)
    for task in (infer_reason, infer_reaction):
        for model, epochs in ((GPT, 1), (CLAUDE, 2)):
            run("panel", task(judge_repeats=2, **FEW), model, *judges, epochs=epochs)
        for control in ("someone_else", "typical", "parrot", "target"):
            run("panel", task(judge_repeats=2, control=control, **FEW), "none/none", *judges)
    run("panel", infer_reason(control="reworded", judge_repeats=2, **FEW), GEMINI, *judges)
    failing.clear()
    run("panel", infer_reason(allow_self_judging=True, **FEW), OPUS, OPUS)


def versions() -> None:
    from thoughttrace.tasks.infer_reaction import infer_reaction
    from thoughttrace.tasks.infer_reason import infer_reason

    run("versions/new", infer_reason(**FEW), GPT, OPUS)
    run("versions/new", infer_reason(**FEW), CLAUDE, OPUS)
    run("versions/new", infer_reaction(**FEW), GPT, OPUS)


def labels() -> None:
    from thoughttrace.scorers.filled import rating, type_match
    from thoughttrace.tasks.classify_thought import classify_thought
    from thoughttrace.tasks.cover_thought import cover_thought
    from thoughttrace.tasks.label_topic import label_topic
    from thoughttrace.tasks.rate_thought import rate_thought
    from thoughttrace.tasks.relate_messages import relate_messages

    for model, folder in ((GPT, "labels/gpt"), (CLAUDE, "labels/claude")):
        run(folder, relate_messages(**FEW), model)
        run(folder, label_topic(), model, epochs=2 if model == CLAUDE else 1)
        for kind in ("reason", "reaction"):
            classified = run(folder, classify_thought(kind=kind, **FEW), model)
            covered = run(folder, cover_thought(kind=kind, **FEW), model)
            # The quality that `predict_message` selects by must be told of every reaction.
            rated = run(folder, rate_thought(kind=kind, **({} if (model, kind) == (GPT, "reaction") else FEW)), model,
                        epochs=2 if kind == "reason" else 1)  # fmt: skip
            if (model, kind) == (GPT, "reason"):
                rescore(classified, type_match(), model)
                rescore(covered, rating(), model)
                rescore(rated, rating(), model)
    run("labels/more", classify_thought(kind="reason", context="message", **FEW), GPT)
    run("labels/more", rate_thought(kind="reason", **FEW), CLAUDE, epochs=2)  # supersedes
    for kind in ("reason", "reaction"):
        run("labels/more", classify_thought(kind=kind, baseline=True, **MORE), "none/none")


def after() -> None:
    """The next message: needs the annotations."""
    from thoughttrace.scorers.message_similarity import message_similarity
    from thoughttrace.tasks.infer_reaction import infer_reaction
    from thoughttrace.tasks.infer_reason import infer_reason
    from thoughttrace.tasks.predict_message import predict_message

    for model in (GPT, CLAUDE):
        for task in (infer_reason, infer_reaction):
            run(
                "next/guesses",
                task(context="history", **MORE),
                model,
                MINI if model != GPT else OPUS,
                max_connections=4,
            )
    said = str(LOGS / "next/guesses")
    for model in (GPT, CLAUDE):
        similar = {"similarity": True} if model == GPT else {}
        run("next", predict_message(**similar, **FEW), model, PRO)
        for arm in ("reasons", "reactions", "both", "shuffled"):
            path = run("next", predict_message(thoughts=arm, **similar, **FEW), model, PRO)
            if (model, arm) == (GPT, "both"):
                rescore(path, message_similarity(), model, OPUS)
        # A model's guesses are told from the others' by the model that is bound when the task is made.
        run(
            "next",
            "thoughttrace/predict_message",
            model,
            PRO,
            task_args={"thoughts": "inferred", "inferred": said} | FEW,
        )
    run("next", "thoughttrace/predict_message", GEMINI, PRO, OPUS, epochs=2,
        task_args={"thoughts": "none", "judge_repeats": 2} | FEW)  # fmt: skip
    run("next", "thoughttrace/predict_message", GEMINI, PRO, OPUS, epochs=2,
        task_args={"thoughts": "both", "judge_repeats": 2} | FEW)  # fmt: skip
    picked = {"quality": str(HERE / "annotations.parquet"), "min_quality": 3, "after": "reaction"}
    run("next", predict_message(**picked), GPT, PRO)
    run("next", predict_message(thoughts="both", **picked), GPT, PRO)
    run("next", predict_message(**FEW), CLAUDE, PRO)  # supersedes


def cards() -> None:
    from thoughttrace.tasks.judge_agreement import judge_agreement

    for judge in (OPUS, PRO):
        run("cards", judge_agreement(per_family=2), judge, epochs=2, limit=50)
    run("cards", judge_agreement(per_family=2, judge_message=False), MINI, limit=25)


def people() -> None:
    """Ratings of the inferences by two people: the judge's, moved by a hash."""
    from thoughttrace.analysis.ratings import Rating, append, inferences
    from thoughttrace.analysis.runs import read_runs

    found = []
    for one in read_runs([str(LOGS / "infer")]).models:
        if one.context == "message":
            continue
        for row in inferences(one).itertuples():
            for rater, part in (("ann", 3), ("bob", 4)):
                draw = drawn(rater, row.id, row.inference)
                if draw % part:
                    continue
                moved = min(5, max(1, round(row.agreement) + (draw // 7) % 3 - 1))
                found.append(
                    Rating(rater=rater, kind=one.kind, id=row.id, model=one.model, epoch=row.epoch,
                           inference=row.inference, rating=moved, time="2026-11-25T12:00:00+00:00")
                )  # fmt: skip
    taken_back = found[3].model_copy(update={"rating": None})
    append(HERE / "ratings.jsonl", [*found, taken_back])


def annotate() -> None:
    from click.testing import CliRunner

    from thoughttrace.cli.main import main

    done = CliRunner().invoke(main, ["annotate", str(LOGS / "labels/gpt"), "-o", str(HERE / "annotations.parquet")])
    if done.exit_code:
        raise RuntimeError(done.output)


def slim() -> None:
    """Leave out what nobody reads again, so that the logs stay small; those of `versions` keep it."""
    for path in sorted(LOGS.rglob("*.eval")):
        if "old" in path.parts or "damaged" in path.name or not path.stat().st_size:
            continue
        log = read_eval_log(str(path))
        for sample in log.samples or []:
            sample.events, sample.attachments, sample.events_data, sample.messages = [], {}, None, []
        write_eval_log(log, str(path))


def make(older: str) -> None:
    shutil.rmtree(LOGS, ignore_errors=True)
    (HERE / "ratings.jsonl").unlink(missing_ok=True)
    command = [sys.executable, __file__, "--old"]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": older})
    for step in (infer, panel, versions, cards, labels, annotate, after, slim, people):
        step()


def chosen() -> None:
    """What the command line asks for: the older code's runs, some steps, or all."""
    if sys.argv[1] == "--old":
        old()
    elif len(sys.argv) > 2:
        for step in sys.argv[2:]:
            globals()[step]()
    else:
        make(sys.argv[1])


if __name__ == "__main__":
    with scripted_providers():
        chosen()
