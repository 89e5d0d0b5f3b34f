"""Define a manifest: the ids of a subset's samples, each with a hash of its content, and no text."""

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thoughttrace.core.cache_dir import cache_dir
from thoughttrace.core.errors import UserError
from thoughttrace.core.record import Kind
from thoughttrace.protocols.protocol import Sha256

_Hash = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class Manifest(BaseModel):
    """The samples of a subset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    """Of the subset, such as `mini-v1`."""
    rule: str
    """How the samples were chosen, in a sentence."""
    data: str
    """`sample`, `hub`, or a file's name."""
    data_revision: str
    data_content: str
    sha256: Sha256
    """Checksum of the name and the samples: the same however the data were reached."""
    samples: dict[Kind, dict[str, _Hash]]
    """Of each kind the ids, with the hash of what the sample shows and asks for."""


def checksum(name: str, samples: dict[Kind, dict[str, str]]) -> str:
    """Return the checksum of a manifest.

    Args:
        name: Of the subset.
        samples: As in `Manifest`.
    """
    return hashlib.sha256(json.dumps([name, samples], sort_keys=True).encode()).hexdigest()


def manifest_path(name: str, data_revision: str) -> Path:
    """Return where a manifest is kept on this machine.

    Args:
        name: Of the subset.
        data_revision: A Hub commit, or `sha256:` and digits.
    """
    revision = re.sub("[^0-9A-Za-z]+", "-", data_revision)
    return cache_dir() / "manifests" / f"{name}-{revision}.json"


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Args:
        path: A JSON file that `thoughttrace subset` wrote.

    Raises:
        UserError: It cannot be read, is no manifest, or was altered.
    """
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); make it with `thoughttrace subset DATA NAME`."
        ) from error
    except ValidationError as error:
        raise UserError(
            f"{path}: is no manifest; name a file that `thoughttrace subset DATA NAME -o FILE` wrote, or make it anew."
        ) from error
    if manifest.sha256 != checksum(manifest.name, manifest.samples):
        raise UserError(
            f"{path}: its samples do not have the checksum that it states, so it was altered; make it anew with "
            f"`thoughttrace subset DATA {manifest.name}`."
        )
    return manifest


def kept_manifest(name: str, data_revision: str) -> Manifest | None:
    """Return the manifest that is kept on this machine for a subset of some data; None if there is none.

    Args:
        name: Of the subset.
        data_revision: A Hub commit, or `sha256:` and digits.

    Raises:
        UserError: It is there, and is damaged or was altered.
    """
    path = manifest_path(name, data_revision)
    try:
        return read_manifest(path) if path.exists() else None
    except UserError as error:
        raise UserError(
            f"{path}: the manifest of {name} is damaged or was altered; make it anew with `thoughttrace subset DATA "
            f"{name}`."
        ) from error
