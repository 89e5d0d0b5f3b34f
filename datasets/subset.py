"""Make the manifest of a protocol's subset from the data, and take exactly its samples from them."""

import hashlib
import json

from thoughttrace.core.errors import UserError
from thoughttrace.core.record import KINDS, Kind, message_id
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.load import first_few
from thoughttrace.datasets.sampling import Item, select
from thoughttrace.datasets.sources import Source, from_where_started
from thoughttrace.protocols.manifest import Manifest, checksum, kept_manifest, read_manifest
from thoughttrace.protocols.protocol import Protocol, Subset, find_subset, protocol_names, read_protocol


def known_subset(name: str) -> tuple[Protocol, Subset]:
    """Find a subset by its name.

    Args:
        name: Such as `mini-v1`.

    Returns:
        The protocol that it belongs to, and the subset.

    Raises:
        UserError: No protocol has such a subset.
    """
    if found := find_subset(name):
        return found
    raise UserError(f"subset {name}: there is no such subset; choose from {_names()}.")


def _names() -> str:
    return ", ".join(subset for protocol in protocol_names() for subset in read_protocol(protocol).subsets)


def make_manifest(source: Source, name: str) -> Manifest:
    """Make the manifest of a subset: the same for everyone who has the same data.

    The rule is that of a run with `users`, `per_user` and `seed` (`datasets.sampling.draw`), for each kind by itself:
    users with a message of the kind in the order of SHA-256 of `SEED:USER`, the first so many; of each the messages in
    the order of SHA-256 of `SEED:CONVERSATION:POSITION`, the first so many. Both kinds have the same order of users, so
    they share nearly all of them, and neither leaves out a user who has only thoughts of that kind.

    Args:
        source: The conversations.
        name: Of the subset, such as `mini-v1`.

    Raises:
        UserError: There is no such subset, or the data have no thought of a kind.
    """
    _, subset = known_subset(name)
    samples = {}
    for kind in KINDS:
        items = select(source.conversations, kind, None, subset.users, subset.per_user, subset.seed)
        samples[kind] = {sample_id(item): content_hash(*item) for item in items}
    return Manifest(
        name=name,
        rule=_rule(subset),
        data=source.name,
        data_revision=source.revision,
        data_content=source.content,
        sha256=checksum(name, samples),
        samples=samples,
    )


def _rule(subset: Subset) -> str:
    users = f"the first {subset.users} users by SHA-256 of '{subset.seed}:USER'" if subset.users else "all users"
    most = f"at most {subset.per_user} of each by SHA-256 of '{subset.seed}:CONVERSATION:POSITION'"
    return f"Messages with a thought, for each kind by itself: of {users}, {most if subset.per_user else 'all'}."


def sample_id(item: Item) -> str:
    """Return the id of the sample of an annotated message."""
    return message_id(item.conversation.id, item.message_index, item.message.kind)


def content_hash(conversation: Conversation, index: int) -> str:
    """Hash what a sample shows and asks for: its user, the messages up to the annotated one, and the thoughts on it.

    Args:
        conversation: The conversation.
        index: Position of the annotated message, 0-based.

    Returns:
        16 hexadecimal digits.
    """
    shown = [[message.role, message.content] for message in conversation.messages[: index + 1]]
    thoughts = [thought.content.strip() for thought in conversation.messages[index].thoughts]
    text = json.dumps([conversation.id, index, conversation.user, shown, thoughts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def find_manifest(source: Source, data: str, subset: str) -> Manifest:
    """Find the manifest that a user named.

    Args:
        source: The conversations.
        data: What the user typed to name them.
        subset: The name of a subset, whose manifest is kept on this machine, or the path of a manifest.

    Raises:
        UserError: There is no such manifest here, it was altered, or it is another one than the protocol states.
    """
    path = from_where_started(subset)
    if path.is_file():
        manifest = read_manifest(path)
    else:
        if find_subset(subset) is None:
            raise UserError(
                f"subset {subset}: there is no such subset, and no such file; choose from {_names()}, or name a file."
            )
        kept = kept_manifest(subset, source.revision)
        if kept is None:
            raise UserError(
                f"subset={subset}: its manifest for {source.name}, {source.revision}, is not on this machine; make it "
                f"with `thoughttrace subset {data} {subset}`, or name a manifest's file with -T subset=FILE."
            )
        manifest = kept
    protocol, asked = known_subset(manifest.name)
    stated = asked.manifest_sha256
    if stated and source.revision == protocol.data.revision and stated != manifest.sha256:
        raise UserError(
            f"subset={subset}: the manifest has the checksum {manifest.sha256[:12]}, and {protocol.name} states "
            f"{stated[:12]}: it was made from other data. Make it anew with `thoughttrace subset {data} "
            f"{manifest.name}`."
        )
    return manifest


def take(source: Source, kind: Kind, manifest: Manifest, seed: int = 0) -> list[Item]:
    """Take exactly the messages of a manifest, in the seeded order of users.

    Args:
        source: The conversations.
        kind: The kind of thought.
        manifest: The manifest.
        seed: Of the order.

    Raises:
        UserError: Messages of the manifest are missing, or their texts are others.
    """
    wanted = manifest.samples.get(kind, {})
    here = {sample_id(item): item for item in select(source.conversations, kind, seed=seed)}
    of_manifest = f"of the {len(wanted):,} {kind} samples of {manifest.name}"
    instead = (
        f"The manifest is of {manifest.data}, {manifest.data_revision}: use that data, or make a manifest of this with "
        f"`thoughttrace subset`."
    )
    if missing := [name for name in wanted if name not in here]:
        raise UserError(f"{len(missing):,} {of_manifest} are not in {source.name}: {_few(missing)} {instead}")
    if changed := [name for name, content in wanted.items() if content_hash(*here[name]) != content]:
        raise UserError(f"{len(changed):,} {of_manifest} have other texts in {source.name}: {_few(changed)} {instead}")
    return [item for name, item in here.items() if name in wanted]


def _few(ids: list[str]) -> str:
    return " ".join(first_few([f"{name}." for name in ids]))
