"""Turn a trained model, or a base model and its LoRA adapter, into a GGUF file, for `--model local/FILE.gguf`.

    python training/to_gguf.py SOURCE.gguf TRAINED NEW.gguf

TRAINED is what `trl dpo` wrote: a model, or an adapter, which names its base model (run this in the same folder).
SOURCE.gguf is the file that `load_gguf.py` made the base model of: tokenizer, chat template and settings are copied
from it. The new weights are in 16 bits. Every tensor is compared with that of the source: with a wrong name or order of
rows it would be far from it.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.quants import dequantize
from transformers import AutoModelForCausalLM

NEAR = 0.9
"""The least cosine of a trained tensor and its source."""


def convert(source: Path, trained: Path, new: Path) -> None:
    """Write a GGUF file.

    Args:
        source: The GGUF file of the base model.
        trained: The folder of the trained model or adapter.
        new: The file to write.
    """
    reader = gguf.GGUFReader(source)
    name = str(reader.fields[gguf.Keys.General.ARCHITECTURE].contents())
    weights = dict(_weights(trained, name, reader))
    writer = gguf.GGUFWriter(new, arch=name)
    for field in reader.fields.values():
        # The first are written by the writer; the type of the file is no longer that of the source.
        if field.name.startswith("GGUF.") or field.name == gguf.Keys.General.ARCHITECTURE:
            continue
        if field.name in (gguf.Keys.General.FILE_TYPE, gguf.Keys.General.QUANTIZATION_VERSION):
            continue
        kind = field.types[0]
        item = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=item)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    for tensor in reader.tensors:
        before = dequantize(tensor.data, tensor.tensor_type)
        # What no layer of the model holds, such as factors of the rotary embedding, stays as it is.
        after = weights.pop(tensor.name, before)
        if after.shape != before.shape or _cosine(after, before) < NEAR:
            raise SystemExit(f"{tensor.name}: is not near the source's; was {trained} trained from {source}?")
        # Vectors, such as norms, are small and must be exact.
        writer.add_tensor(tensor.name, after.astype(np.float32 if after.ndim == 1 else np.float16))
    if weights:
        raise SystemExit(f"{', '.join(weights)}: not in {source}; was {trained} trained from it?")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _weights(trained: Path, name: str, reader: gguf.GGUFReader) -> Iterator[tuple[str, Any]]:
    """Yield the trained tensors, by their names in the source and with rows in its order."""
    model = _merged(trained)
    config = model.config
    (architecture,) = (arch for arch, its_name in gguf.MODEL_ARCH_NAMES.items() if its_name == name)
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    known = {tensor.name for tensor in reader.tensors}
    for key, value in model.state_dict().items():
        theirs = names.get_name(key, try_suffixes=(".weight", ".bias"))
        if theirs not in known and config.tie_word_embeddings and key == "lm_head.weight":
            continue  # the same tensor as the embedding
        if theirs is None:
            raise SystemExit(f"{key}: has no name in a GGUF file of {name}.")
        array = value.float().numpy()
        if name == "llama" and key.endswith(("q_proj.weight", "k_proj.weight")):
            heads = config.num_attention_heads if "q_proj" in key else config.num_key_value_heads
            array = _interleaved(array, heads)
        yield theirs, array


def _merged(trained: Path) -> Any:
    """Load a trained model; an adapter is added to its base model."""
    if not (trained / "adapter_config.json").exists():
        return AutoModelForCausalLM.from_pretrained(trained, dtype="float32")
    from peft import AutoPeftModelForCausalLM  # noqa: PLC0415 - only adapters need it

    return AutoPeftModelForCausalLM.from_pretrained(trained, dtype="float32").merge_and_unload()


def _interleaved(array: Any, heads: int) -> Any:
    """Put the rows of a query or key matrix in the order in which llama.cpp rotates them: pairs side by side."""
    rows, *rest = array.shape
    return array.reshape(heads, 2, rows // heads // 2, *rest).swapaxes(1, 2).reshape(array.shape)


def _cosine(a: Any, b: Any) -> float:
    x, y = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return float(x @ y / max(np.linalg.norm(x) * np.linalg.norm(y), 1e-30))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the GGUF file of the base model")
    parser.add_argument("trained", type=Path, help="the folder that `trl dpo` wrote")
    parser.add_argument("new", type=Path, help="the GGUF file to write")
    given = parser.parse_args()
    convert(given.source, given.trained, given.new)
    print(f"{given.new}: inspect eval … --model local/{given.new}")
