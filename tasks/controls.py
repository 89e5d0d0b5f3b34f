"""The solvers of the controls, which take the place of the evaluated model."""

from pathlib import Path

from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from thoughttrace.datasets.render import block, marker

_REWORD = (Path(__file__).resolve().parent / "reword.md").read_text(encoding="utf-8").strip()


@solver
def recite_control() -> Solver:
    """Answer with what the task prepared in the sample's metadata (`recited`); no model is asked."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = ModelOutput.from_content("control", state.metadata["recited"])
        state.messages.append(ChatMessageAssistant(content=state.metadata["recited"]))
        return state

    return solve


@solver
def reword_target() -> Solver:
    """Let the model say the target in other words: it is shown the target, and not the conversation."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.metadata["reworded"] = True
        note = state.target[0]
        mark = marker(note)
        state.messages = [ChatMessageUser(content=f"{_REWORD}\n\n{block(mark, 'note', note)}[{mark} end]")]
        return await generate(state)

    return solve
