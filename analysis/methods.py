"""The methods paragraph: what a paper has to say about the numbers, from the logs themselves."""

from collections.abc import Iterable, Sequence

from thoughttrace.analysis.runs import Run, Runs


def methods(everything: Runs) -> str:
    """Say how the numbers were made, to be pasted into a paper.

    Args:
        everything: The models and controls of one report.
    """
    runs = everything.models
    dates = sorted(run.date[:10] for run in runs)
    when = f"on {dates[0]}" if dates[0] == dates[-1] else f"between {dates[0]} and {dates[-1]}"
    epochs = max(run.epochs for run in runs)
    repeated = f" Each sample was run {epochs} times and its mean rating entered." if epochs > 1 else ""
    panel = any("," in run.judge for run in runs)
    several = " A panel's rating is the mean of its members' valid votes." if panel else ""
    return (
        f"We evaluated {_list(run.model for run in runs)} with ThoughtTrace {_list(r.package_version for r in runs)} "
        f"(Inspect {_list(run.inspect_version for run in runs)}) {when}. {_kinds(runs)} The data were "
        f"{_list(f'{run.data} (revision {run.data_revision})' for run in runs)}. A judge, "
        f"{_list(run.judge for run in runs)}, rated the agreement of each inference with the user's own note from 1 "
        f"(another thought) to 5 (the same thought) by a fixed rubric ({_hashes(runs)}); the evaluated models never "
        f"saw the note.{several}{repeated} A refusal or an empty answer counts as 1. Samples without a valid "
        f"rating were left unscored and are counted in the coverage. Means are given with 95 % confidence "
        f"intervals that are cluster-robust by user (CR2 with "
        f"Bell–McCaffrey degrees of freedom; Bell & McCaffrey 2002, Pustejovsky & Tipton 2018), clipped to the scale. "
        f"Models were compared by the paired differences on the samples that both scored, with the same intervals and "
        f"p-values adjusted by the method of Holm (1979) over all pairs of a kind."
        f"{_scale(everything.controls)} The prompts and rubrics are this "
        f"project's, not those of Jin et al. (2026), so the published means are not the same measurement."
    )


def _scale(controls: Sequence[Run]) -> str:
    if not controls:
        return ""
    return (
        f" Controls ({_list(run.control for run in controls)}) went through the same task and judge. The recovered "
        f"share is (agreement − floor) / (ceiling − floor), with the thought of another user of the same type as the "
        f"floor and the reworded (or else the verbatim) note as the ceiling, as a ratio of means over shared samples; "
        f"its interval is Fieller's (1954) from the cluster-robust covariance."
    )


def _kinds(runs: Sequence[Run]) -> str:
    sentences = []
    for kind in dict.fromkeys(run.kind for run in runs):
        own = [run for run in runs if run.kind == kind]
        scored = [run.samples.dropna(subset="agreement") for run in own]
        sentences.append(
            f"{kind.capitalize()}s: task infer_{kind} version {_list(run.task_version for run in own)}, context "
            f"{_list(run.context for run in own)}, prompt {_list(run.prompt_hash for run in own)}; "
            f"{_range(run.planned for run in own)} samples per model, {_range(len(rows) for rows in scored)} of them "
            f"scored, of {_range(rows['user'].nunique() for rows in scored)} users."
        )
    return " ".join(sentences)


def _hashes(runs: Sequence[Run]) -> str:
    return _list(f"{run.kind} rubric {run.rubric_hash}" for run in runs)


def _range(numbers: Iterable[int]) -> str:
    known = sorted(set(numbers))
    return f"{known[0]:,}" if len(known) == 1 else f"{known[0]:,}–{known[-1]:,}"


def _list(words: Iterable[str]) -> str:
    known = list(dict.fromkeys(words))
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}"
