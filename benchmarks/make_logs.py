"""Logs of realistic size, made without a model: for `benchmarks/report.py`.

One real run over the bundled sample gives a sample of each kind with its messages, events and votes; copies of it
get other ids, users and prompts as long as the real ones (11 kB on average), and make the first model's log. The
other models' logs are that file with other names and ratings.
"""

import json
import re
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import zipfile_zstd  # teaches zipfile the compression of Inspect's logs
from inspect_ai import eval as inspect_eval
from inspect_ai.event import ModelEvent
from inspect_ai.log import EvalLog, EvalSample, read_eval_log, write_eval_log
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, ModelUsage, get_model, modelapi
from inspect_ai.tool import ToolChoice, ToolInfo

from thoughttrace.core.record import TYPES, Kind
from thoughttrace.tasks.infer_reaction import infer_reaction
from thoughttrace.tasks.infer_reason import infer_reason

SAMPLES: dict[Kind, int] = {"reason": 4_498, "reaction": 5_676}
USERS = 1_058
PROMPT_CHARACTERS = 11_000

_TASKS = {"reason": infer_reason, "reaction": infer_reaction}


@modelapi(name="fixed")
def fixed() -> type[ModelAPI]:
    """A provider that always says the same."""

    class Fixed(ModelAPI):
        async def generate(
            self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
        ) -> ModelOutput:
            verdict = json.dumps({"rationale": "Both name the worry, and not its cause. " * 4, "rating": 3})
            text = verdict if config.response_schema else "I wanted to be sure before I spend the money on it."
            output = ModelOutput.from_content(self.model_name, text)
            output.usage = ModelUsage(input_tokens=2_700, output_tokens=60, total_tokens=2_760)
            return output

    return Fixed


def make_logs(folder: Path, models: int, share: float) -> Iterator[Path]:
    """Write a log per model and kind.

    Args:
        folder: Where to.
        models: How many models.
        share: Of the dataset's samples that each log holds.

    Yields:
        The logs, as they are written.
    """
    for kind, count in SAMPLES.items():
        log = _template(kind)
        (sample,) = log.samples or []
        wanted = int(count * share)
        log.eval.model, log.eval.created = "fixed/model-00", "2026-01-01T00:00:00+00:00"
        log.samples = [_copy(sample, kind, index) for index in range(wanted)]
        if log.results:
            log.results.total_samples = log.results.completed_samples = wanted
        first = folder / f"2026-01-01T00-00-00-00-00_infer-{kind}_00.eval"
        write_eval_log(log, first)
        yield first
        for number in range(1, models):
            other = folder / first.name.replace("_00.eval", f"_{number:02}.eval")
            _rewrite(first, other, number)
            yield other


def _template(kind: Kind) -> EvalLog:
    """One real log with one sample."""
    with TemporaryDirectory() as folder:
        (log,) = inspect_eval(
            _TASKS[kind](),
            model=get_model("fixed/model"),
            model_roles={"grader": get_model("fixed/judge")},
            limit=1,
            log_dir=folder,
            display="none",
        )
        return read_eval_log(log.location, resolve_attachments=True)


def _copy(sample: EvalSample, kind: Kind, index: int) -> EvalSample:
    """Another sample of the same form, with words, user and metadata of its own."""
    rng = np.random.default_rng(index)
    user = int(rng.integers(USERS))
    text = " ".join(f"word{word}" for word in rng.integers(0, 3_000, int(rng.gamma(1.5, PROMPT_CHARACTERS / 12))))
    assert isinstance(sample.input, list)
    system, question = sample.input
    prompt = [system, question.model_copy(update={"content": f"{text}\n{question.text}"})]
    events = [
        event.model_copy(update={"input": prompt})
        if isinstance(event, ModelEvent) and event.role != "grader"
        else event
        for event in sample.events
    ]
    metadata = sample.metadata | {
        "user": f"user{user}", "message_index": int(rng.integers(8)), "position": float(rng.random()),
        "type": str(rng.choice(TYPES[kind])), "target_words": int(rng.integers(2, 50)),
    }  # fmt: skip
    made = {"id": f"user{user}_task1_conversation1/m{index:05}/{kind}", "uuid": uuid.uuid4().hex}
    return sample.model_copy(update=made | {"input": prompt, "events": events, "metadata": metadata})


def _rewrite(source: Path, target: Path, number: int) -> None:
    """Copy a log under another model's name, with other ratings in the samples and in their summaries."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile_zstd.ZIP_ZSTANDARD) as new:
        for name in old.namelist():
            text = old.read(name).decode()
            if name.startswith("samples/"):
                text = _rated(text, number)
            elif "summaries" in name:
                text = f"[{','.join(_rated(json.dumps(summary), number) for summary in json.loads(text))}]"
            else:
                text = text.replace("model-00", f"model-{number:02}").replace("00:00:00", f"00:00:{number:02}")
                text = _ID.sub(lambda found: f"{found[1]}{number:02}", text)
            new.writestr(name, text)


_SAMPLE_ID = re.compile(r'"id": ?"(user\d+)_task1_conversation1/m(\d+)/')
_RATING = re.compile(r'("agreement": ?\{"value": ?|"rating": ?|"fixed/judge": ?)\d')
_ID = re.compile(r'("(?:eval_id|run_id|task_id)": ?"[^"]*)[^"]{2}(?=")')


def _rated(text: str, number: int) -> str:
    """A sample with the rating that this model gets: by its user, itself, and the model."""
    found = _SAMPLE_ID.search(text)
    assert found
    user, sample, own = (zlib.crc32(word.encode()) / 2**32 for word in (found[1], found[2], f"{found[2]} {number}"))
    rating = int(np.clip(round(0.8 + 1.5 * user + 2 * sample + 2 * own + 0.03 * number), 1, 5))
    return _RATING.sub(rf"\g<1>{rating}", text)
