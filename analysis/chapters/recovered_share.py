"""What the scale means: where its floor and ceiling lie, and how far between them each model comes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pandas as pd

from thoughttrace.analysis.chapters.headline import COLUMNS as HEADLINE_COLUMNS
from thoughttrace.analysis.chapters.headline import SCALE, HeadlineRow, headline, kind_of
from thoughttrace.analysis.page.table import Chapter, Section, count, limits, name, number, p, pair, short, text
from thoughttrace.analysis.read.evidence import Evidence
from thoughttrace.analysis.read.task_log import Run, shared_judges
from thoughttrace.analysis.stats.donors import mean_over_donors
from thoughttrace.analysis.stats.intervals import Interval, paired_difference, ratio_of_means
from thoughttrace.analysis.stats.multiplicity import LEVEL, holm_by_family
from thoughttrace.core.record import CEILINGS, FLOOR, FLOORS, Control, Kind

MIN_OVERLAP = 6
"""Words in a row that a short note and a guess hardly share by chance, however few samples show what chance gives."""

_FLOORS = {
    "constant": "one sentence for all",
    "parrot": "repeating the message",
    FLOOR: "another user's thought of the same type",
    "typical": "one typical sentence per type",
}
"""The controls that a model should beat, in words."""


@dataclass(frozen=True)
class ShareRow:
    """The recovered share of one model."""

    model: str
    kind: Kind
    context: str
    judge: str
    floor_is: str
    """The control that is the floor."""
    floor_knows: str
    ceiling_is: str
    """The control that is the ceiling."""
    agreement: float
    """Mean on the samples that model, floor and ceiling all have; so are floor and ceiling."""
    floor: float
    ceiling: float
    share: float
    lower: float
    """95 % limit, Fieller's, from the CR2 covariance by user."""
    upper: float
    n: int
    users: int
    note: str
    floor_draws: int
    """Thoughts of others that the floor has for a sample, one for each epoch; the floor is their mean."""
    floor_sd: float
    """Standard deviation of the floor between draws: of its mean in each epoch. NaN with one draw."""


@dataclass(frozen=True)
class ControlPairRow:
    """A model against a control, on the samples both have."""

    model: str
    kind: Kind
    context: str
    judge: str
    control: str
    mean_model: float
    mean_control: float
    difference: float
    """model − control."""
    lower: float
    upper: float
    p_value: float
    n: int
    users: int
    note: str
    p_holm: float = math.nan
    """Adjusted over all rows of a kind."""


@dataclass(frozen=True)
class LeakRow:
    """How often a model repeated its target word for word."""

    model: str
    kind: Kind
    context: str
    judge: str
    longest_by_chance: int
    """Words of the longest run that the floor's inferences share with their targets."""
    flagged: int
    """Samples whose inference shares a longer run with its target."""
    n: int
    mean: float
    """Mean agreement of all samples."""
    mean_without: float
    """Mean agreement without those flagged."""


@dataclass(frozen=True)
class FlaggedRow:
    """A sample whose inference repeats its target word for word."""

    model: str
    kind: Kind
    id: str
    overlap: int
    """Words of the longest shared run."""
    agreement: float


SHARE_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    short("Context", "context"),
    name("Judge", "judge"),
    number("Floor", lambda row: "" if math.isnan(row.floor) else f"{row.floor:.2f} ({row.floor_is})"),
    text("It knows", "floor_knows"),
    count("Draws", "floor_draws"),
    number("SD between draws", "floor_sd"),
    number("Agreement", "agreement"),
    number("Ceiling", lambda row: "" if math.isnan(row.ceiling) else f"{row.ceiling:.2f} ({row.ceiling_is})"),
    number("Recovered share", "share", ".1%"),
    limits("95 % interval", percent=True),
    count("n", "n"),
    count("Users", "users"),
]

CONTROL_PAIR_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    short("Control", "control"),
    short("Context", "context"),
    name("Judge", "judge"),
    number("Model − control", "difference", "+.2f"),
    limits("95 % interval"),
    p("p (Holm)", "p_holm"),
    count("n", "n"),
    count("Users", "users"),
]

LEAK_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    name("Judge", "judge"),
    count("Longest by chance, words", "longest_by_chance"),
    pair("Flagged", "flagged", "n", between=" of "),
    number("Agreement", "mean"),
    number("Without the flagged", "mean_without"),
]

FLAGGED_COLUMNS = [
    short("Kind", "kind"),
    name("Model", "model"),
    name("Sample", "id"),
    count("Words in a row", "overlap"),
    number("Agreement", "agreement"),
]


def chapter(evidence: Evidence) -> Chapter:
    """Write what the scale means: controls, recovered share, models against controls, leaks."""
    runs, controls = evidence.runs.inferences, evidence.runs.controls
    pairs = against_controls(runs)
    leaks, flagged = leaked(runs)
    return Chapter(
        "recovered_share",
        "What the scale means",
        "",
        [
            Section(
                "recovered_share", "Recovered share", recovered(runs), SHARE_COLUMNS,
                "(agreement − floor) / (ceiling − floor), means over the samples that model, floor and ceiling all "
                "have; Fieller's interval from their CR2 covariance by user. Floor: one sentence for all (constant), "
                "or else another user's thought of the same type (someone_else), the mean of several draws where it "
                "ran with --epochs. Ceiling: the target in other words (reworded), or else the target itself.",
                paper=True,
                terminal=True,
            ),
            Section(
                "recovered_share_floors", "Recovered share over other floors", over_other_floors(runs), SHARE_COLUMNS,
                "The same over floors that know more: what a model adds to the type of the thought, or to the message.",
            ),
            Section(
                "controls", "Controls",
                [row for row in control_means(controls) if row.n],
                HEADLINE_COLUMNS,
                "Inferences that needed no model under test, rated by the same judge in the same task. Where the log "
                "says whose thoughts were drawn, the interval is clustered by user and by donor.",
            ),
            Section(
                "models_vs_controls", "Models against controls", pairs, CONTROL_PAIR_COLUMNS,
                "Paired differences, clustered by user and donor as above, Holm over all rows of a kind. "
                + " ".join(in_words(pairs)),
            ),
            Section(
                "leaks", "Targets repeated word for word", leaks, LEAK_COLUMNS,
                "The dataset is public, so a model may have been trained on it. Flagged is an inference that shares a "
                "longer run of words with its target than any of someone_else's does, and no fewer than "
                f"{MIN_OVERLAP} words.",
            ),
            Section("flagged", "Flagged samples", flagged, FLAGGED_COLUMNS),
        ] if controls else [],
    )  # fmt: skip


def recovered(runs: Sequence[Run]) -> list[ShareRow]:
    """Estimate each model's recovered share: (agreement − floor) / (ceiling − floor).

    Args:
        runs: Models and controls. A control serves every model of the same kind, rubric, task version and data, in
            whatever context: it reads no conversation. Of a control only the votes of the model's judges count.

    Returns:
        One row per model run with a floor and a ceiling: over `constant`, or else over `FLOOR`.
    """
    return [rows[0] for run in runs if not run.control if (rows := _shares(run, runs))]


def over_other_floors(runs: Sequence[Run]) -> list[ShareRow]:
    """Estimate each model's recovered share over the floors that `recovered` does not take.

    Args:
        runs: Models and controls.
    """
    return [row for run in runs if not run.control for row in _shares(run, runs)[1:]]


def against_controls(runs: Sequence[Run]) -> list[ControlPairRow]:
    """Compare every model with every control, on the samples both have.

    Args:
        runs: Models and controls.
    """
    rows = [
        row
        for run in runs
        if not run.control
        for serving in _serving(run, runs).values()
        for control in serving
        if (row := _against(*_rated_alike(run, control))) is not None
    ]
    adjusted = holm_by_family([row.p_value for row in rows], [row.kind for row in rows])
    return [replace(row, p_holm=p_holm) for row, p_holm in zip(rows, adjusted, strict=True)]


def control_means(controls: Sequence[Run]) -> list[HeadlineRow]:
    """Estimate the mean agreement of each control, clustered by user and, where donors are known, by donor.

    Args:
        controls: Runs of controls.
    """
    return [_mean_over_donors(*row) for row in zip(headline(controls), controls, strict=True)]


def controls_beside(run: Run, runs: Sequence[Run]) -> list[Run]:
    """Give each control that shares a judge with a model, as the judges of both rated it.

    Args:
        run: A run of a model.
        runs: Models and controls.
    """
    return [_rated_alike(run, members[-1])[1] for members in _serving(run, runs).values()]


def _mean_over_donors(row: HeadlineRow, control: Run) -> HeadlineRow:
    """Give a control's row the interval that is clustered by donor too, where donors are known."""
    if (drawn := _drawn(control)) is None:
        return row
    mean = mean_over_donors(drawn["score"], drawn["user"], drawn["donor"], drawn["id"], bounds=SCALE)
    return replace(row, **mean.as_row("mean"))


def _drawn(control: Run) -> pd.DataFrame | None:
    """Return the scored draws of a control whose donors are known; what had no donor stands alone."""
    drawn = control.rows.dropna(subset="score")
    if "donor" not in drawn or drawn["donor"].isna().all():
        return None
    return drawn.assign(donor=drawn["donor"].fillna("nobody: " + drawn["id"]))


def in_words(rows: Sequence[ControlPairRow]) -> list[str]:
    """Name the models that do not beat the message itself, another user's thought, or a typical sentence."""
    sentences: list[str] = []
    for row in rows:
        if row.control not in _FLOORS:
            continue
        control = f"{_FLOORS[row.control]} ({row.control})"
        means = f"{row.mean_control:.2f} against {row.mean_model:.2f}"
        numbers = f"{means}, p = {row.p_holm:.3f} (Holm)"
        if math.isnan(row.p_holm):
            sentences.append(f"On {row.kind}s, no test compares {row.model} with {control}: {means} ({row.note}).")
        elif row.p_holm < LEVEL and row.difference < 0:
            sentences.append(f"On {row.kind}s, {control} beats {row.model}: {numbers}.")
        elif not row.p_holm < LEVEL:
            sentences.append(f"On {row.kind}s, {row.model} does not differ significantly from {control}: {numbers}.")
    return sentences


def leaked(runs: Sequence[Run]) -> tuple[list[LeakRow], list[FlaggedRow]]:
    """Find inferences that repeat their target word for word, as a model can that was trained on the data.

    Args:
        runs: Models and controls; a model without a floor is left out, for nothing shows what chance gives.

    Returns:
        One row per model run, and the flagged samples.
    """
    rows, flagged_rows = [], []
    for run in runs:
        # What words a floor shares with its targets does not depend on who rated it.
        floors = [control for control in runs if control.control == FLOOR and _comparable(control, run)]
        if run.control or not floors:
            continue
        floor = max(floors, key=lambda control: control.judge == run.judge)
        chance = int(floor.rows["overlap"].max())
        flagged = run.rows[run.rows["overlap"] >= max(MIN_OVERLAP, chance + 1)]
        without = run.samples[~run.samples["id"].isin(flagged["id"])]
        rows.append(
            LeakRow(
                model=run.name,
                kind=kind_of(run),
                context=run.context,
                judge=run.judge,
                longest_by_chance=chance,
                flagged=flagged["id"].nunique(),
                n=len(run.samples),
                mean=run.samples["score"].mean(),
                mean_without=without["score"].mean(),
            )
        )
        flagged_rows += [
            FlaggedRow(run.name, kind_of(run), row["id"], int(row["overlap"]), row["score"])
            for row in flagged.to_dict("records")
        ]
    return rows, flagged_rows


def _shares(run: Run, runs: Sequence[Run]) -> list[ShareRow]:
    """Estimate a model's recovered share over each floor, that of the headline first."""
    serving = {control: members[-1] for control, members in _serving(run, runs).items()}
    ceiling = next((control for control in CEILINGS if control in serving), None)
    first = next((floor for floor in ("constant", FLOOR) if floor in serving), None)
    if first is None or ceiling is None:
        return []
    others = [floor for floor in FLOORS if floor in serving and floor != first]
    return [row for floor in (first, *others) if (row := _share(run, serving[floor], serving[ceiling]))]


def _share(run: Run, over: Run, under: Run) -> ShareRow | None:
    alike = _rated_alike(run, over, under)
    if not alike:
        return None
    rated, floor, top = alike
    scores = {"agreement": rated.scored["score"], "floor": floor.scored["score"], "ceiling": top.scored["score"]}
    shared = pd.concat(scores, axis=1, join="inner")
    if shared.empty:
        interval = Interval.without_limits("no scored sample in common with floor and ceiling")
    else:
        users = rated.scored.loc[shared.index, "user"].to_numpy()
        interval = ratio_of_means(
            shared["agreement"] - shared["floor"],
            shared["ceiling"] - shared["floor"],
            users,
            denominator_name="ceiling − floor",
        )
    return ShareRow(
        model=run.name,
        kind=kind_of(run),
        context=run.context,
        judge=rated.judge,
        floor_is=over.control,
        floor_knows=FLOORS[cast(Control, over.control)],
        ceiling_is=under.control,
        **{str(part): mean for part, mean in shared.mean().items()},
        **interval.as_row("share"),
        **_draws(floor, shared.index),
    )


def _draws(floor: Run, samples: pd.Index) -> dict[str, Any]:
    """Count a floor's draws of each of some samples, and say how much its mean varies between them."""
    rows = floor.rows[floor.rows["id"].isin(samples)].dropna(subset="score")
    # In older logs a floor answers the same in every epoch: that is one draw, rated several times.
    draws = max(rows.groupby("id")["answer"].nunique(), default=0)
    return {"floor_draws": draws, "floor_sd": rows.groupby("epoch")["score"].mean().std() if draws > 1 else math.nan}


def _against(run: Run, control: Run) -> ControlPairRow | None:
    shared = pd.concat({"model": run.scored["score"], "control": control.scored["score"]}, axis=1, join="inner")
    if shared.empty:
        return None
    users = run.scored.loc[shared.index, "user"].to_numpy()
    if (drawn := _drawn(control)) is None:
        difference = paired_difference(shared["model"], shared["control"], users)
    else:
        drawn = drawn[drawn["id"].isin(shared.index)]
        values = shared.loc[drawn["id"], "model"].to_numpy() - drawn["score"].to_numpy()
        difference = mean_over_donors(values, drawn["user"], drawn["donor"], drawn["id"])
    return ControlPairRow(
        model=run.name,
        kind=kind_of(run),
        context=run.context,
        judge=run.judge,
        control=control.control,
        mean_model=shared["model"].mean(),
        mean_control=shared["control"].mean(),
        **difference.as_row("difference", p_value=True),
    )


def _serving(run: Run, runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Find the controls that share a judge with a model: of each those of the same panel, or else the most alike."""
    serving: dict[str, list[Run]] = {}
    for control in runs:
        if control.control and _comparable(control, run) and shared_judges(run, control):
            serving.setdefault(control.control, []).append(control)
    return {
        name: [control for control in members if control.judge == run.judge]
        or [max(members, key=lambda control: len(shared_judges(run, control)))]
        for name, members in serving.items()
    }


def _rated_alike(run: Run, *controls: Run) -> list[Run]:
    """Return a model and controls as the judges of all of them rated them; nothing where they share no judge."""
    judges = [judge for judge in run.judges if all(judge in shared_judges(run, control) for control in controls)]
    return [each.rated_by(judges) for each in (run, *controls)] if judges else []


def _comparable(control: Run, run: Run) -> bool:
    """Whether a control was rated as the model was: everything but what the model saw, and who rated it."""

    def rated(rated_run: Run) -> tuple[object, ...]:
        return rated_run.kind, rated_run.version, rated_run.rubric_hash, rated_run.data_revision

    return rated(control) == rated(run)
