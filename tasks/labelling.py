"""How the viewer shows tasks that label where there is no truth."""

from inspect_ai.viewer import TaskSamplesColumn, TaskSamplesSort, TaskSamplesView, ViewerConfig


def viewer(title: str) -> ViewerConfig:
    """The label of each sample, without the columns for a target or a score.

    Args:
        title: Of the list of samples.
    """
    return ViewerConfig(
        # A conversation can hold anything; show it as text.
        trust_content=False,
        task_samples_view=TaskSamplesView(
            name=title,
            columns=[
                TaskSamplesColumn(id="sampleId"),
                TaskSamplesColumn(id="answer"),
                TaskSamplesColumn(id="input", visible=False),
                TaskSamplesColumn(id="error"),
            ],
            sort=[TaskSamplesSort(column="sampleId")],
        ),
    )
