"""Decide who judges: the models bound to Inspect's role `grader`, never the model they judge."""

from inspect_ai.model import Model, get_model, model_roles
from inspect_ai.solver import Generate, Solver, TaskState, solver

from thoughttrace.core.errors import UserError
from thoughttrace.core.inspect_private import active_model
from thoughttrace.core.model_names import family, same_model
from thoughttrace.core.record import JUDGE_ROLE, ControlMetadata
from thoughttrace.scorers.expected_rating import require_log_probabilities


def judges(
    allow_self_judging: bool, exclude_family: bool = False, system: str | None = None, person: bool = False
) -> list[Model]:
    """Return the judges of the evaluated model: those bound to the role, without the evaluated model itself.

    Args:
        allow_self_judging: Keep the evaluated model, whatever name it is bound under.
        exclude_family: Leave out all judges of the evaluated model's family.
        system: What gave the answers, where they were made elsewhere; None for the model that Inspect runs.
        person: Whether a person gave them, who is no model and of no family, whatever the name.

    Raises:
        UserError: No model is bound to the role, or no judge is left.
    """
    bound = model_roles().get(JUDGE_ROLE, [])
    panel = bound if isinstance(bound, list) else [bound]
    if not panel:
        raise UserError(
            "No judge: bind one with --model-role grader=PROVIDER/MODEL "
            "(another model than the one evaluated). Nothing was generated."
        )
    if person:
        return panel
    evaluated = system or str(get_model())
    others = [judge for judge in panel if allow_self_judging or not same_model(str(judge), evaluated)]
    if not others:
        raise UserError(
            f"The judge is the evaluated model itself ({evaluated}): bind another with --model-role "
            "grader=PROVIDER/MODEL, or pass -T allow_self_judging=true and the report will mark the result. "
            "Nothing was generated."
        )
    if exclude_family:
        others = [judge for judge in others if family(str(judge)) != family(evaluated)]
    if not others:
        raise UserError(
            f"All judges are of the evaluated model's family ({family(evaluated)}): bind one of another family "
            "with --model-role grader=PROVIDER/MODEL, or leave out -T exclude_family=true. Nothing was generated."
        )
    return others


def require_judge(
    allow_self_judging: bool, exclude_family: bool, judge_scale: str = "sampled", system: str | None = None
) -> None:
    """Refuse a run that no judge could rate, before it starts.

    Inspect binds models and roles before it makes a task, so the command fails here with one sentence. A task
    made in Python before `eval()` is called has no model yet; `require_judge_then` checks again then.
    """
    if active_model() is None:
        return
    # Whether a person gave the answers is known once they are read: then the solver below checks it.
    panel = judges(allow_self_judging, exclude_family, system, person=system is not None)
    if judge_scale == "expected":
        require_log_probabilities(panel)


# The name is in the logs' plans.
@solver(name="judged")
def require_judge_then(answer: Solver, allow_self_judging: bool = False, exclude_family: bool = False) -> Solver:
    """Let a solver answer, after refusing, before the first generation, a run that no judge could rate.

    It wraps the solver, because a step of its own would record the state of every sample once more.

    Args:
        answer: The solver.
        allow_self_judging: As for `judges`.
        exclude_family: As for `judges`.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        sample = state.metadata_as(ControlMetadata)
        judges(allow_self_judging, exclude_family, sample.system, sample.person)
        return await answer(state, generate)

    return solve
