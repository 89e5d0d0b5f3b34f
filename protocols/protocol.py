"""Read a protocol: everything that two runs must have in common for their numbers to stand in one table."""

import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from thoughttrace.core.errors import UserError
from thoughttrace.core.model_names import family
from thoughttrace.core.record import Context, JudgeScale, Kind

_HERE = Path(__file__).resolve().parent

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Hash = Annotated[str, Field(pattern="^[0-9a-f]{12}$")]
_Positive = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskAsked(_Part):
    """The texts of one task."""

    version: _Positive
    """N of the task version N-X."""
    prompt_hash: _Hash
    rubric_hash: _Hash
    rubric_hash_without_message: _Hash
    """Of the same rubric, where the judge does not see the message."""


class JudgesAsked(_Part):
    """Who judges, and how."""

    exclude_family: bool
    """Whether judges of the evaluated model's family are left out."""
    panel: Annotated[list[Annotated[list[str], Field(min_length=1)]], Field(min_length=1)]
    """A list for each judge: the model, and in order those that stand in once it is withdrawn."""
    message: bool
    """Whether a judge sees the annotated message."""
    scale: JudgeScale
    repeats: _Positive

    @model_validator(mode="after")
    def _are_enough(self) -> "JudgesAsked":
        families = [{family(model) for model in seat} for seat in self.panel]
        if any(len(names) > 1 for names in families) or len(set.union(*families)) < len(families):
            raise ValueError("each judge and its stand-ins must be of one family, and no two judges of the same")
        if len(families) == self.exclude_family:
            raise ValueError("no judge is left for a model of the only judge's family")
        return self


class DataAsked(_Part):
    """Which data."""

    name: str
    revision: str


class Subset(_Part):
    """Which messages of the data, by the rule of `datasets.sampling.draw`."""

    users: _Positive | None
    """At most this many users, in the seeded order; None for all."""
    per_user: _Positive | None
    """At most this many messages a kind of each user; None for all."""
    seed: int
    manifest_sha256: Sha256 | None
    """Checksum of the manifest of the release; None as long as none has been made of it."""


class Protocol(_Part):
    """Everything that two runs must have in common for their numbers to stand in one table."""

    name: str
    title: str
    date: datetime.date
    tasks: Annotated[dict[Kind, TaskAsked], Field(min_length=1)]
    context: Context
    max_context_words: None
    """Always the whole context."""
    confidence: bool
    """Whether the evaluated model is asked how sure it is."""
    generation: Literal["defaults"]
    """The evaluated model's generation config, apart from its effort, which is part of what is evaluated."""
    epochs: _Positive
    coverage: Annotated[float, Field(ge=0, le=1)]
    """Share of the planned replies that must have a rating."""
    judges: JudgesAsked
    data: DataAsked
    subsets: dict[str, Subset]


def protocol_names() -> list[str]:
    """Return the names of the protocols that come with this package."""
    return sorted(path.stem for path in _HERE.glob("*.yml"))


def read_protocol(name_or_path: str | Path) -> Protocol:
    """Read a protocol.

    Args:
        name_or_path: The name of one that comes with this package, such as `infer-v1`, or the path of a YAML file.

    Raises:
        UserError: There is no such protocol, the file is none, or it goes by the name of one of this package with
            another content.
    """
    named = str(name_or_path)
    path = _HERE / f"{named}.yml" if named in protocol_names() else Path(named)
    protocol = _read(named, path)
    if path.parent != _HERE:
        for ours in map(read_protocol, protocol_names()):
            # A mark or a sentence would say that what follows it follows ours.
            if protocol != ours and (protocol.name == ours.name or protocol.title == ours.title):
                raise UserError(
                    f"protocol {named}: has the name or title of {ours.name} ({ours.title}), and asks something else; "
                    "give it a name and a title of its own."
                )
    return protocol


def _read(named: str, path: Path) -> Protocol:
    try:
        return Protocol.model_validate(yaml.safe_load(path.read_bytes()))
    except OSError as error:
        raise UserError(
            f"protocol {named}: there is no such file ({error.strerror}); name {' or '.join(protocol_names())}, or the "
            "path of a file like protocols/infer-v1.yml."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its content"
        raise UserError(f"protocol {named}: is no protocol; {where}: {first['msg']}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"protocol {named}: is no YAML file ({' '.join(str(error).split())}).") from error


# Asked of every run of a report, and the files of the package do not change.
@cache
def find_subset(name: str) -> tuple[Protocol, Subset] | None:
    """Find a subset by its name.

    Args:
        name: Such as `mini-v1`.

    Returns:
        The protocol that it belongs to, and the subset; None if no protocol of this package has it.
    """
    for protocol in map(read_protocol, protocol_names()):
        if name in protocol.subsets:
            return protocol, protocol.subsets[name]
    return None
