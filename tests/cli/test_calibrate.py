"""`thoughttrace calibrate`, as people call it, on made-up pairs in the form of the public sets."""

import json
import math
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, read_eval_log
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, ModelUsage, modelapi
from inspect_ai.scorer import Score
from sklearn.metrics import cohen_kappa_score

from thoughttrace.cli.calibrate import calibration
from thoughttrace.cli.main import main
from thoughttrace.core.record import PairMetadata, RunMetadata


@modelapi(name="reader")
def reader() -> type[ModelAPI]:
    """A judge that reads its rating out of the guess; `reader/broken` fails."""

    class Reader(ModelAPI):
        async def generate(
            self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig
        ) -> ModelOutput:
            if self.model_name == "broken":
                raise RuntimeError("the provider is down")
            rating = input[1].text.partition(" guess]\n")[2][0]
            output = ModelOutput.from_content(self.model_name, f'{{"rationale": "r", "rating": {rating}}}')
            output.usage = ModelUsage(input_tokens=10, output_tokens=2, total_tokens=12)
            return output

    return Reader


def calibrate(*arguments: Any) -> Result:
    return CliRunner().invoke(main, ["calibrate", *map(str, arguments)], env={"INSPECT_DISPLAY": "none"})


def pairs() -> list[dict[str, Any]]:
    """60 pairs, two on each first sentence; the judge's rating of the last one, 9, is none."""
    draw = random.Random(0)
    scores = [round(draw.uniform(0, 5), 2) for _ in range(60)]
    ratings = [min(5, max(1, round(1 + 0.8 * score + draw.choice((-1, 0, 0, 1))))) for score in scores]
    return [
        {"sentence1": f"sentence {n // 2}", "sentence2": f"{rating} sentences", "score": score, "year": "2026"}
        for n, (score, rating) in enumerate(zip(scores, [*ratings[:-1], 9], strict=True))
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs()), encoding="utf-8")
    return path


def test_the_judges_ratings_stand_beside_peoples(file: Path, tmp_path: Path) -> None:
    logs, output = tmp_path / "logs", tmp_path / "out.csv"
    done = calibrate("stsb", "--file", file, "--model", "reader/m", "--log-dir", logs, "-o", output)
    assert done.exit_code == 0, done.output
    frame = pd.DataFrame(pairs()[:-1])
    judge, people = frame["sentence2"].str[0].astype(int), 1 + 0.8 * frame["score"]
    rounded = (people + 0.5).astype(int)
    table = pd.read_csv(output).set_index("statistic")
    assert table["value"].round(9).to_dict() == {
        "Spearman": round(judge.corr(people, method="spearman"), 9),
        "Weighted kappa": round(float(cohen_kappa_score(judge, rounded, weights="quadratic")), 9),
        "Judge − people": round((judge - people).mean(), 9),
    }
    assert (table["lower"] < table["value"]).all()
    assert (table["value"] < table["upper"]).all()
    assert set(table["n"]) == {59}
    assert set(table["clusters"]) == {30}
    assert set(table["without_rating"]) == {1}
    assert set(table["judge"]) == {"reader/m"}
    assert "What this cannot say" in done.output
    assert "1 + 0.8 m" in done.output

    (log,) = logs.glob("*.eval")
    again = tmp_path / "again.csv"
    assert calibrate(log, "-o", again).exit_code == 0
    assert again.read_text(encoding="utf-8") == output.read_text(encoding="utf-8")
    samples = read_eval_log(str(log)).samples
    assert samples is not None
    asked = [sample.messages[1].text for sample in samples]
    assert all(" note]\nsentence " in text and " message]" not in text for text in asked)


def test_a_run_that_failed_says_how_to_go_on(file: Path, tmp_path: Path) -> None:
    done = calibrate("stsb", "--file", file, "--model", "reader/broken", "--limit", 1, "--log-dir", tmp_path / "logs")
    assert done.exit_code == 1
    assert "The run ended as 'error'" in done.output
    (log,) = (tmp_path / "logs").glob("*.eval")
    resume = f"Resume it with `inspect eval-retry {log} --log-dir {log.parent}`"
    assert resume in done.output
    # Resuming writes another log: this one stays what it is, and its numbers would be those of a part.
    again = calibrate(log)
    assert again.exit_code == 1
    assert f"{log}: is unfinished (status 'error'). {resume}" in again.output


def test_a_pair_rated_in_several_epochs_is_one_pair() -> None:
    """Of 1 and 4, the mean counts; an epoch without a rating counts in no mean."""
    rated = {"a": [1.0, 4.0], "b": [2.0, math.nan], "c": [5.0, 5.0], "d": [math.nan, math.nan]}
    people = {"a": 2.0, "b": 2.0, "c": 4.0, "d": 1.0}
    log = EvalLog(
        eval=EvalSpec(
            created="2026-11-29T00:00:00+00:00",
            task="thoughttrace/calibrate_judge",
            dataset=EvalDataset(),
            model="reader/m",
            config=EvalConfig(epochs=2),
            metadata=RunMetadata(
                data="stsb", data_revision="r", rubric_hash={"reason": "h"}, thoughttrace="0.1.0"
            ).to_log(),
        ),
        samples=[
            EvalSample(
                id=id_,
                epoch=epoch + 1,
                input="",
                target="",
                metadata=PairMetadata(people=people[id_], cluster=id_).to_log(),
                scores={"judge_rating": Score(value=ratings[epoch])},
            )
            for epoch in (0, 1)
            for id_, ratings in rated.items()
        ],
    )
    difference = calibration(log).rows[-1]
    assert (difference.n, difference.clusters, difference.without_rating) == (3, 3, 1)
    assert difference.value == pytest.approx((0.5 + 0 + 1) / 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stsb"], "Name the judge with --model"),
        (["stsb", "--model", "reader/m,reader/n"], "--model reader/m,reader/n: name one judge; run the command again"),
        (["stsb", "--model", "nobody/m"], "--model nobody/m: "),
        (["some.eval", "--model", "reader/m"], "some.eval is no set (mocha, stsb): --model, --file and --revision"),
        (["sts"], "sts: is neither a set (mocha, stsb) nor a log that can be read"),
        (["stsb", "--model", "reader/m", "--file", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (
            ["stsb", "--model", "reader/m", "--file", "{}"],
            "line 1: needs the texts sentence1, sentence2 and the number",
        ),
        (["mocha", "--model", "reader/m", "--file", "{}"], "is no file of these pairs (KeyError: 'question')"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"sentence1": "a", "score": 3}\n', encoding="utf-8")
    done = calibrate(*(argument.format(path) for argument in arguments))
    assert done.exit_code == 1
    assert message in done.output
    assert "Traceback" not in done.output


def test_a_rating_off_the_scale_is_named(tmp_path: Path) -> None:
    path = tmp_path / "unrated.jsonl"
    path.write_text('{"sentence1": "a", "sentence2": "b", "score": -1}\n', encoding="utf-8")
    done = calibrate("stsb", "--model", "reader/m", "--file", path)
    assert "line 1: people's rating of -1 is not from 0 to 5." in done.output
