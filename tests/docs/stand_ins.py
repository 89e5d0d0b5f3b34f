"""Run first in the process of each command of the documentation: what is not here is replaced by something small.

A run keeps its events in a database too, so that `inspect view` can show it live: half of its time (as `quick_runs` in
`tests/conftest.py`).
"""

import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import inspect_ai._eval.task.log
import inspect_ai.model._providers.util.batch
import numpy as np
from inspect_ai.model import GenerateConfig

import thoughttrace.datasets.hub
import thoughttrace.models.local
import thoughttrace.models.weights
from thoughttrace.core.inspect_private import OpenAICompatibleAPI

vars(inspect_ai.model._providers.util.batch).update(DEFAULT_SEND_DELAY=0.5, DEFAULT_BATCH_TICK=0.05)
vars(inspect_ai._eval.task.log).update(SampleBufferDatabase=lambda **_: None)


# Compiling umap takes ten seconds; tests/analysis/shift has the real one.
class FirstComponents:
    """Where `shift` draws what UMAP made: here the first two principal components."""

    def __init__(self, **_: Any) -> None:
        pass

    def fit(self, texts: np.ndarray) -> "FirstComponents":
        self.embedding_ = np.linalg.svd(texts - texts.mean(axis=0), full_matrices=False)[0][:, :2]
        return self


sys.modules["umap"] = umap = ModuleType("umap")
umap.__dict__.update(UMAP=FirstComponents, __spec__=ModuleSpec("umap", None))

# Only this command reads another dataset.
if "calibrate" in sys.argv:
    os.environ["HF_ENDPOINT"] = os.environ["PAIRS_ENDPOINT"]

# The loopback Hub's file is a small one.
thoughttrace.datasets.hub.SIZE = int(os.environ["HUB_FILE_SIZE"])
thoughttrace.datasets.hub.NOTED_SHA256 = os.environ["HUB_FILE_SHA256"]


# Weights of local models are not fetched, for none is run.
class LocalStandIn(OpenAICompatibleAPI):
    """A `local/…` model that the loopback server answers for: the real ones take seconds a reply."""

    def __init__(self, model_name: str, config: GenerateConfig = GenerateConfig(), **_: Any) -> None:  # noqa: B008
        super().__init__(model_name, os.environ["LOOP_BASE_URL"], os.environ["LOOP_API_KEY"], config, service="local")


vars(thoughttrace.models.weights).update(fetch_weights=lambda name, source="auto": Path(f"weights/{name}.gguf"))
vars(thoughttrace.models.local).update(LocalAPI=LocalStandIn)
