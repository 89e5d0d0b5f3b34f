"""Put a user's note among notes that are not theirs on this message, for a model to choose from."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inspect_ai.dataset import Sample

from thoughttrace.core.record import LETTERS, ChoiceMetadata, Context, Kind, Option
from thoughttrace.datasets.controls import CONSTANTS
from thoughttrace.datasets.conversation import Conversation
from thoughttrace.datasets.prompt import Prompt, conversation_prompt, quote, window
from thoughttrace.datasets.samples import AnnotatedThought, prompt_messages


@dataclass(frozen=True)
class Options:
    """The notes that a model chooses from, in the order in which they are shown."""

    names: tuple[Option, ...]
    texts: tuple[str, ...]

    @property
    def letter(self) -> str:
        """The letter of the user's own note."""
        return LETTERS[self.names.index("target")]


def with_options(
    thoughts: Sequence[AnnotatedThought], conversations: Sequence[Conversation], kind: Kind, seed: int
) -> list[tuple[AnnotatedThought, Options]]:
    """Find up to three other notes for each thought, and order them.

    Of the same user a note on another message, of the same conversation where there is one that can be used; of another
    user a note of the same type; and the kind's constant sentence. No two options say the same (`plain`), nor does any
    say what another note on the same message says. What cannot be found is missing: the sample has fewer options. They
    depend on data and seed alone, so that all models choose from the same.

    The true note is at each letter equally often: of the thoughts with as many options, in the order given, every run
    of as many as there are letters has it once at each.

    Args:
        thoughts: The thoughts, all of one kind.
        conversations: All of the data, where other notes come from.
        kind: The kind of thought.
        seed: Another seed gives other notes and another order.

    Returns:
        Each thought with its options. A thought beside which no other note can stand is left out.
    """
    everyone = list(_notes(conversations, kind))
    by_user: dict[str, list[AnnotatedThought]] = defaultdict(list)
    by_type: dict[str, list[AnnotatedThought]] = defaultdict(list)
    for noted in everyone:
        by_user[noted.conversation.user].append(noted)
        by_type[noted.thought.label].append(noted)
    seen = Counter[int]()
    chosen = []
    for noted in thoughts:
        texts = _options(noted, by_user[noted.conversation.user], by_type[noted.thought.label], seed)
        if len(texts) == 1:
            continue
        others = sorted(texts.keys() - {"target"}, key=lambda name: _lot(seed, noted.id, name))
        others.insert(_place(len(texts), seen[len(texts)], seed), "target")
        seen[len(texts)] += 1
        chosen.append((noted, Options(tuple(others), tuple(texts[name] for name in others))))
    return chosen


def _notes(conversations: Sequence[Conversation], kind: Kind) -> Iterator[AnnotatedThought]:
    for conversation in conversations:
        for index, message in conversation.annotated(kind):
            for number, _ in enumerate(message.thoughts, start=1):
                yield AnnotatedThought(conversation, index, number)


def _options(
    noted: AnnotatedThought, own: Sequence[AnnotatedThought], of_type: Sequence[AnnotatedThought], seed: int
) -> dict[Option, str]:
    """Return the texts of a thought's options, itself the first."""
    said = {plain(other.content) for other in noted.message.thoughts}
    texts: dict[Option, str] = {"target": noted.thought.content.strip()}

    def add(name: Option, candidates: Iterator[str]) -> None:
        text = next((text for text in candidates if plain(text) not in said), None)
        if text is not None:
            texts[name] = text.strip()
            said.add(plain(text))

    add("constant", iter([CONSTANTS[noted.kind]]))
    elsewhere = sorted(
        own, key=lambda other: (other.conversation.id != noted.conversation.id, _lot(seed, noted.id, other.id))
    )
    add("elsewhere", (other.thought.content for other in elsewhere))
    start = int(_lot(seed, noted.id), 16) % len(of_type)
    turned = (of_type[(start + step) % len(of_type)] for step in range(len(of_type)))
    user = noted.conversation.user
    add("other_user", (other.thought.content for other in turned if other.conversation.user != user))
    return texts


def _place(options: int, number: int, seed: int) -> int:
    """Return where the true note stands in the sample of this number among those with as many options."""
    turn, step = divmod(number, options)
    return sorted(range(options), key=lambda place: _lot(seed, options, turn, place))[step]


def _lot(*names: object) -> str:
    return hashlib.sha256(":".join(map(str, names)).encode("utf-8", "surrogatepass")).hexdigest()


def plain(text: str) -> str:
    """Return a note without capitals, punctuation and extra space: notes that are equal then say the same.

    Args:
        text: The note. One of punctuation alone, such as a smiley, stays as it is.
    """
    words = "".join(c for c in text.casefold() if c.isalnum() or c.isspace()).split()
    return " ".join(words) or text.strip()


def choice_sample(
    noted: AnnotatedThought,
    options: Options,
    instructions: str,
    question: str,
    context: Context,
    max_words: int | None = None,
) -> Sample:
    """Make the sample of a thought that is to be found among its options.

    Args:
        noted: The thought.
        options: The options.
        instructions: The system message.
        question: What is asked; `{marker}` and `{message}` name the annotated message in it.
        context: How much of the conversation is shown.
        max_words: Drop the oldest turns until at most this many words are shown.
    """
    conversation, index = noted.conversation, noted.index
    shown = window(conversation, index, context, max_words)
    chat = conversation_prompt(conversation, shown, question, index, profile=context == "profile")
    labels = [f"note {letter}" for letter in LETTERS]
    notes = quote(dict(zip(labels, options.texts, strict=False)), chat.text)
    # In the block of the question, so that the prompts of one conversation begin alike.
    prompt = Prompt((*chat.blocks[:-1], f"{chat.blocks[-1]}\n\n{notes.text}"))
    metadata = ChoiceMetadata(
        user=conversation.user,
        conversation=conversation.id,
        message_index=index,
        position=conversation.position(index),
        context=context,
        messages_shown=shown.shown,
        messages_left_out=shown.left_out,
        block_ends=prompt.block_ends,
        kind=noted.kind,
        thought_index=noted.number,
        type=noted.thought.label,
        target_words=noted.thought.words,
        options=list(options.names),
    )
    return Sample(
        id=noted.id,
        input=prompt_messages(instructions, prompt),
        target=options.letter,
        metadata=metadata.to_log(),
    )
