"""Count tokens without a network, by the tokenizer of the packaged embedder."""

from collections.abc import Sequence

from thoughttrace.models.embedding import model_files


def count_pieces(texts: Sequence[str]) -> list[int]:
    """Count the word pieces of texts, of which the embedder reads the first 256 only.

    Args:
        texts: n texts.

    Raises:
        UserError: The extra `similarity` is not installed.
    """
    _, tokenizer_file = model_files()
    from tokenizers import Tokenizer  # noqa: PLC0415 - an extra

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [len(each.ids) for each in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
