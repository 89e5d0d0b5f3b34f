"""The training configurations: what the paper states is in them, and TRL and accelerate know every key."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

NAMES = ("dpo", "dpo_cpu")
LAUNCHERS = {"one_gpu": 1, "several_gpus": 8, "several_nodes": 16}


def read(root: Path, name: str) -> dict[str, object]:
    settings = yaml.safe_load((root / f"training/{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(settings, dict)
    return settings


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_reads_our_pairs_and_keeps_the_best_on_validation(name: str, root: Path) -> None:
    settings = read(root, name)
    # TRL would look for a split called "test", which the pairs have not and must not have.
    assert (settings["dataset_train_split"], settings["dataset_test_split"]) == ("train", "validation")
    assert settings["eval_strategy"] == settings["save_strategy"] != "no"
    assert settings["load_best_model_at_end"] is True
    assert (settings["metric_for_best_model"], settings["greater_is_better"]) == ("eval_loss", False)


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_step_of_the_papers_configuration_is_64_pairs(launcher: str, root: Path) -> None:
    settings, processes = read(root, "dpo"), LAUNCHERS[launcher]
    assert (settings["learning_rate"], settings["num_train_epochs"]) == (1e-6, 20)
    assert settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"] == 64  # type: ignore[operator]
    launched = read(root, launcher)
    assert launched["num_processes"] == processes
    # As its comment says: --gradient_accumulation_steps 16/N.
    assert settings["gradient_accumulation_steps"] % processes == 0  # type: ignore[operator]
    assert (launched["distributed_type"] == "FSDP") == (processes > 1)


# Types and names are TRL's to judge: nothing may be left over that no part of it takes, but what accelerate does.
PARSE = """
import sys
from accelerate.commands.launch import launch_command_parser
from accelerate.commands.config.config_args import load_config_from_file
from trl.scripts.dpo import make_parser
from trl.cli.accelerate_config import resolve_accelerate_config_argument
root = sys.argv[1]
for name in ("dpo", "dpo_cpu"):
    *_, rest, _ = make_parser(prog="trl dpo").parse_args_and_config(
        ["--config", f"{root}/{name}.yaml", "--bf16", "false", "--use_cpu", "true"],
        return_remaining_strings=True, separate_remaining_strings=True)
    launch_command_parser().parse_args(resolve_accelerate_config_argument(rest) + ["script.py"])
    print(name, rest)
for name in ("one_gpu", "several_gpus", "several_nodes"):
    print(name, load_config_from_file(f"{root}/{name}.yaml").num_processes)
"""


def test_trl_and_accelerate_know_every_key(root: Path, tmp_path: Path) -> None:
    python = os.environ.get("THOUGHTTRACE_CONSUMERS")
    if not python:
        pytest.skip("set THOUGHTTRACE_CONSUMERS to a Python that has trl and accelerate")
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", PARSE, str(root / "training")], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=bare | {"HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2:] == ["one_gpu 1", "several_gpus 8", "several_nodes 16"]
