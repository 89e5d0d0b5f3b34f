"""Turn a GGUF file into a folder that transformers and TRL load; offline, in seconds for a small model.

    python training/load_gguf.py MODEL.gguf FOLDER

The weights are those of the file, unpacked: a quantised model is trained from what its quantisation left.
"""

import argparse
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer


def load(file: Path, folder: Path) -> None:
    """Write the model, the tokenizer and the chat template of a GGUF file into a folder.

    Args:
        file: The GGUF file.
        folder: The folder; it is made if there is none.
    """
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
    # What was unpacked is no longer quantised, but still says so, and cannot be saved as it is.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the GGUF file")
    parser.add_argument("folder", type=Path, help="the folder to write")
    given = parser.parse_args()
    load(given.file, given.folder)
    print(f"{given.folder}: loadable by transformers and TRL")
