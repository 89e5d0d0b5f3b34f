"""Programs that do the same job, each run in a process of its own by `throughput.py`.

    python benchmarks/contenders.py NAME FOLDER SAMPLES CONNECTIONS

For every sample of FOLDER a model is asked for an inference, and a judge for a verdict on it; what came of it is
written to a file. Prints the seconds, the seconds of CPU (both of the run alone, without imports and loading), the peak
of the process' memory in bytes, and how many samples got a score.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODEL, JUDGE = "model", "judge"
INFERENCE = "@@INFERENCE@@"
"""Stands in a prepared prompt of the judge where the inference goes."""

Job = Callable[[], int]
"""Does the work, and returns how many samples got a score."""


def answer(request: Any) -> Any:
    """What the server says, in each judge's own form."""
    from loopback import Reply  # noqa: PLC0415

    if request.model != JUDGE or request.schema:
        return Reply()
    return Reply(text="GRADE: C" if "GRADE" in request.text else '{"reason": "because", "score": 5}')


def ours(folder: Path, samples: int, connections: int) -> Job:
    """`infer_reason` with its judge."""
    from thoughttrace.tasks.infer_reason import infer_reason  # noqa: PLC0415

    return _inspect(infer_reason(data=str(folder / "conversations.jsonl")), folder, samples, connections)


def bare(folder: Path, samples: int, connections: int) -> Job:
    """Inspect's own `generate` and `model_graded_qa` on the same samples; its judge sees as much as ours."""
    from inspect_ai import Task  # noqa: PLC0415
    from inspect_ai.dataset import MemoryDataset  # noqa: PLC0415
    from inspect_ai.scorer import model_graded_qa  # noqa: PLC0415
    from inspect_ai.solver import generate  # noqa: PLC0415

    from thoughttrace.tasks.infer_reason import infer_reason  # noqa: PLC0415

    template = "Message: {message}\n\nNote: {criterion}\n\nGuess: {answer}\n\n{instructions}"
    same = infer_reason(data=str(folder / "conversations.jsonl")).dataset
    task = Task(dataset=MemoryDataset(list(same)), solver=generate(), scorer=model_graded_qa(template=template))
    return _inspect(task, folder, samples, connections)


def _inspect(task: Any, folder: Path, samples: int, connections: int) -> Job:
    from inspect_ai import eval as inspect_eval  # noqa: PLC0415

    def run() -> int:
        (log,) = inspect_eval(
            task,
            model=f"openai-api/loop/{MODEL}",
            model_roles={"grader": f"openai-api/loop/{JUDGE}"},
            limit=samples,
            max_connections=connections,
            log_dir=str(folder / "logs"),
            log_samples=True,
            display="none",
        )
        assert log.results
        return log.results.scores[0].scored_samples or 0

    return run


def script(folder: Path, samples: int, connections: int) -> Job:
    """Asyncio and the openai SDK, as anybody would write it."""
    from openai import AsyncOpenAI  # noqa: PLC0415

    jobs = _jobs(folder, samples)

    async def main() -> int:
        client, slots, scored = AsyncOpenAI(base_url=os.environ["LOOP_BASE_URL"]), asyncio.Semaphore(connections), 0
        with (folder / "script.jsonl").open("w", encoding="utf-8") as file:

            async def one(job: dict[str, Any]) -> None:
                nonlocal scored
                async with slots:
                    said = await client.chat.completions.create(model=MODEL, messages=job["prompt"])
                    inference = said.choices[0].message.content or ""
                    asked = [m | {"content": m["content"].replace(INFERENCE, inference)} for m in job["judge"]]
                    form: Any = {"type": "json_schema", "json_schema": job["schema"]}
                    answer = await client.chat.completions.create(model=JUDGE, messages=asked, response_format=form)
                    verdict = json.loads(answer.choices[0].message.content or "")
                scored += verdict["rating"] in {1, 2, 3, 4, 5}
                usage = [said.usage and said.usage.total_tokens, answer.usage and answer.usage.total_tokens]
                file.write(json.dumps(job | {"inference": inference, "verdict": verdict, "usage": usage}) + "\n")

            await asyncio.gather(*map(one, jobs))
        return scored

    return lambda: asyncio.run(main())


def deepeval(folder: Path, samples: int, connections: int) -> Job:
    """The same generation by the SDK, and DeepEval's G-Eval as the judge, with its steps given."""
    from deepeval.metrics import GEval  # noqa: PLC0415
    from deepeval.models import OpenAIModel  # noqa: PLC0415
    from deepeval.test_case import LLMTestCase, SingleTurnParams  # noqa: PLC0415
    from openai import AsyncOpenAI  # noqa: PLC0415

    jobs = _jobs(folder, samples)
    url, key = os.environ["LOOP_BASE_URL"], os.environ["LOOP_API_KEY"]
    judge = OpenAIModel(model=JUDGE, base_url=url, api_key=key, cost_per_input_token=0.0, cost_per_output_token=0.0)
    shown = [SingleTurnParams.INPUT, SingleTurnParams.ACTUAL_OUTPUT, SingleTurnParams.EXPECTED_OUTPUT]

    async def main() -> int:
        client, slots, scored = AsyncOpenAI(base_url=url), asyncio.Semaphore(connections), 0
        with (folder / "deepeval.jsonl").open("w", encoding="utf-8") as file:

            async def one(job: dict[str, Any]) -> None:
                nonlocal scored
                async with slots:
                    said = await client.chat.completions.create(model=MODEL, messages=job["prompt"])
                    inference = said.choices[0].message.content or ""
                    steps = [job["judge"][0]["content"]]
                    metric = GEval("agreement", shown, evaluation_steps=steps, model=judge, async_mode=True)
                    case = LLMTestCase(input=job["message"], actual_output=inference, expected_output=job["target"])
                    await metric.a_measure(case, _show_indicator=False)
                scored += metric.score is not None
                file.write(json.dumps(job | {"inference": inference, "score": metric.score}) + "\n")

            await asyncio.gather(*map(one, jobs))
        return scored

    return lambda: asyncio.run(main())


def _jobs(folder: Path, samples: int) -> list[dict[str, Any]]:
    lines = (folder / "jobs.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:samples]]


def prepare(folder: Path, samples: int) -> None:
    """Write the conversations, and the same prompts as plain messages for the programs without Inspect."""
    from loading import THOUGHTS, write_conversations  # noqa: PLC0415

    from thoughttrace.scorers.agreement import VERDICT, judge_prompt  # noqa: PLC0415
    from thoughttrace.tasks.infer_reason import infer_reason  # noqa: PLC0415

    data = folder / "conversations.jsonl"
    write_conversations(data, share=1.1 * samples / THOUGHTS["reasons"])
    schema = VERDICT.config.response_schema
    assert schema
    form = {"name": schema.name, "strict": True, "schema": schema.json_schema.model_dump(exclude_none=True)}
    with (folder / "jobs.jsonl").open("w", encoding="utf-8") as file:
        for sample in list(infer_reason(data=str(data)).dataset)[:samples]:
            message, target = (sample.metadata or {})["message"], list(sample.target)
            said = judge_prompt("reason", message, target, INFERENCE)
            plain = [{"role": m.role, "content": m.text} for m in sample.input if not isinstance(m, str)]
            judge = [{"role": m.role, "content": m.text} for m in said]
            job = {"prompt": plain, "judge": judge, "schema": form, "message": message, "target": target[0]}
            file.write(json.dumps(job) + "\n")


def main() -> None:
    """Run one program, and print what it took as a line of JSON."""
    name, folder, samples, connections = sys.argv[1:]
    job = {"ours": ours, "bare": bare, "script": script, "deepeval": deepeval}[name](
        Path(folder), int(samples), int(connections)
    )
    wall, cpu = time.perf_counter(), time.process_time()
    scored = job()
    took = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(json.dumps(took | {"peak": peak, "scored": scored}))


if __name__ == "__main__":
    main()
