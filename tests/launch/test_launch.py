"""The launch templates: they parse, and what they name exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
LAUNCH = ROOT / "launch"
TEXTS = [p for p in sorted(LAUNCH.rglob("*")) if p.is_file()]
ACCELERATE = sorted((LAUNCH / "accelerate").glob("*.yaml"))


def commands(text):
    """The lines of a template that start something, continuation lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [c for c in joined.splitlines() if re.search(r"accelerate launch|vidpost run", c)]


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.name)
def test_files_that_are_named_exist(path):
    for name in re.findall(r"launch/[\w./-]+\.(?:yaml|sbatch)|launch/Dockerfile", path.read_text()):
        assert (ROOT / name).is_file(), name
    for module in re.findall(r"-m \"?(reproductions[\w.$]+)", path.read_text()):
        module = module.replace("$KIND", "methods").replace("$METHOD", "video_r1")
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.name)
def test_options_of_vidpost_run_exist(path):
    from vidpost.cli.train import run

    known = {option for p in run.params for option in (*p.opts, *p.secondary_opts)}
    for command in commands(path.read_text()):
        ours = re.split(r"vidpost run|\.method", command, maxsplit=1)[-1]
        if "accelerate launch" in command and ".method" not in command:
            continue
        for option in re.findall(r"(?<=\s)--[a-z-]+", ours):
            assert option in known, f"{path.name}: {option}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.name)
def test_options_of_accelerate_exist(path):
    pytest.importorskip("accelerate")
    from accelerate.commands.launch import launch_command_parser

    parser = launch_command_parser()
    known = {o for action in parser._actions for o in action.option_strings}
    for command in commands(path.read_text()):
        if "accelerate launch" not in command:
            continue
        theirs = re.split(r"accelerate launch", command, maxsplit=1)[1].split(" -m ")[0]
        for option in re.findall(r"(?<=\s)--\w+", theirs):
            assert option in known, f"{path.name}: {option}"


def test_templates_start_something():
    started = [c for p in TEXTS for c in commands(p.read_text())]
    assert any("accelerate launch" in c for c in started)
    assert any("-m reproductions.methods.video_r1.method --preset paper" in c for c in started), (
        started
    )
    assert any("vidpost run" in c for c in started)


@pytest.mark.parametrize("path", ACCELERATE, ids=lambda p: p.stem)
def test_accelerate_reads_its_files(path):
    pytest.importorskip("accelerate")
    from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file

    config = load_config_from_file(str(path))
    assert isinstance(config, ClusterConfig)
    assert config.mixed_precision == "bf16" and config.num_processes == 4
    kind = {"zero2": "DEEPSPEED", "zero3": "DEEPSPEED", "fsdp2": "FSDP"}[path.stem]
    assert config.distributed_type == kind
    if kind == "DEEPSPEED":
        assert config.deepspeed_config["zero_stage"] == int(path.stem[-1])


@pytest.mark.parametrize("path", ACCELERATE, ids=lambda p: p.stem)
def test_keys_of_the_plugins_exist(path):
    """A misspelt key would be ignored without a word."""
    pytest.importorskip("accelerate")
    from accelerate.commands.launch import launch_command_parser

    parser = launch_command_parser()
    known = {action.dest for action in parser._actions}
    settings = yaml.safe_load(path.read_text())
    for part in ("deepspeed_config", "fsdp_config"):
        for key in settings.get(part, {}):
            assert key in known, key


def test_presets_match_the_number_of_processes():
    from vidpost.catalog.preset import load_preset

    preset = load_preset(ROOT / "reproductions" / "methods" / "video_r1" / "paper.yaml")
    for path in ACCELERATE:
        assert yaml.safe_load(path.read_text())["num_processes"] == preset.hardware.devices
    sky = yaml.safe_load((LAUNCH / "skypilot" / "train.yaml").read_text())
    assert set(sky["resources"]["accelerators"].values()) == {preset.hardware.devices}
    assert sky["envs"] == {
        "METHOD": "video_r1", "PRESET": "paper", "KIND": "methods", "OPTIONS": "",
        "DISTRIBUTED": preset.hardware.distributed, "RUNS": "runs",
    }  # fmt: skip
    server = yaml.safe_load((LAUNCH / "skypilot" / "server.yaml").read_text())
    assert server["resources"]["accelerators"] == sky["resources"]["accelerators"]
    assert server["envs"]["MODEL"] == preset.model.id


def test_shell_parts_parse(tmp_path):
    for name in ("train", "server"):
        sky = yaml.safe_load((LAUNCH / "skypilot" / f"{name}.yaml").read_text())
        (tmp_path / f"{name}-setup.sh").write_text(sky["setup"])
        (tmp_path / f"{name}-run.sh").write_text(sky["run"])
    for path in (*tmp_path.iterdir(), LAUNCH / "slurm" / "train.sbatch"):
        subprocess.run(["bash", "-n", str(path)], check=True)


SHELL = {
    "scontrol": "echo node1; echo node2; echo node3",
    # The first argument that is no option is the program.
    "srun": 'while [[ $1 == --* ]]; do OPTION="$OPTION $1"; shift; done; echo "srun$OPTION" >&2\n'
    'export SLURM_NODEID=1 SLURM_GPUS_ON_NODE=4; exec "$@"',
    "vidpost": """if [[ " $* " == *" --json "* ]]
then printf '{\n "model": "the/preset-s",\n "parts": [\n  {"model": "other"}\n ]\n}\n'
else echo "vidpost $*"; fi""",
    "accelerate": 'echo "accelerate $*"',
    "vllm": 'echo "vllm $*"; touch "$(dirname "$0")/serving"; exec /usr/bin/sleep 60',
    "curl": 'test -e "$(dirname "$0")/serving" || exit 7; echo "curl $*"',
    "sleep": "exec /usr/bin/sleep 0.2",
}


def slurm(tmp_path, nodes, *arguments, **environ):
    """Run the template with stand-ins for the programs of a cluster."""
    for name, body in SHELL.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "SLURM_SUBMIT_DIR": str(ROOT),
        "SLURM_JOB_NODELIST": f"node[1-{nodes}]",
        "SLURM_JOB_ID": "7",
        "SLURM_NNODES": str(nodes),
        "SLURM_GPUS_ON_NODE": "4",
        **environ,
    }
    script = str(LAUNCH / "slurm" / "train.sbatch")
    return subprocess.run(
        ["bash", script, *arguments], env=environment, capture_output=True, text=True, check=True,
        timeout=30,
    )  # fmt: skip


def test_the_slurm_template_starts_every_node(tmp_path):
    done = slurm(tmp_path, 2, "grpo", "paper", "--set", "hardware.devices=4", "--set", "seed=3")
    plan, start = done.stdout.splitlines()
    options = (
        "--set hardware.distributed=deepspeed_zero3 --set hardware.devices=8 "
        "--set hardware.devices=4 --set seed=3"  # the last of two counts
    )
    assert plan == f"vidpost run grpo --preset paper --dry-run {options}"
    assert start == (
        "accelerate launch --config_file launch/accelerate/zero3.yaml --num_machines 2 "
        "--num_processes 8 --machine_rank 1 --main_process_ip node1 --main_process_port 20007 "
        f"-m reproductions.baselines.grpo.method --preset paper --out runs/grpo-slurm-7 {options}"
    )
    assert "--nodes=2 --ntasks=2 --nodelist=node1,node2" in done.stderr


def test_the_slurm_template_serves_on_the_last_nodes(tmp_path):
    done = slurm(tmp_path, 3, "video_r1", SERVER_NODES="1")
    plan, *middle, start = done.stdout.splitlines()
    options = (
        "--set hardware.distributed=deepspeed_zero3 --set hardware.devices=12 "
        "--set hardware.rollout_engine=vllm_server --set hardware.rollout_devices=4"
    )
    assert plan == f"vidpost run video_r1 --preset paper --dry-run {options}"
    assert sorted(middle) == [
        "curl --silent --fail http://node3:20007/health",
        "vllm serve the/preset-s --port 20007 --data-parallel-size 4 --trust-request-mm-kwargs",
    ]
    assert "--num_machines 2 --num_processes 8" in start and start.endswith(options)
    assert "--nodes=1 --ntasks=1 --nodelist=node3" in done.stderr
    assert "--nodes=2 --ntasks=2 --nodelist=node1,node2" in done.stderr


def test_the_trainer_knows_its_servers_and_may_change_their_weights(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SHELL, "accelerate", 'echo "servers $VIDPOST_SERVERS"')
        patch.setitem(SHELL, "vllm", f'echo "dev $VLLM_SERVER_DEV_MODE"; {SHELL["vllm"]}')
        done = slurm(tmp_path, 3, "video_r1", SERVER_NODES="2")
    assert "servers http://node2:20007,http://node3:20007" in done.stdout.splitlines()
    assert "dev 1" in done.stdout.splitlines()


def test_the_sharding_and_the_cores_of_a_task_may_be_chosen(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SHELL, "accelerate", 'echo "$SRUN_CPUS_PER_TASK cores: $*"')
        done = slurm(tmp_path, 1, "sft", DISTRIBUTED="fsdp2", SLURM_CPUS_PER_TASK="48")
    plan, start = done.stdout.splitlines()
    assert plan.endswith("--dry-run --set hardware.distributed=fsdp2")
    assert start.startswith("48 cores: launch --config_file launch/accelerate/fsdp2.yaml ")


@pytest.mark.parametrize("path", ACCELERATE, ids=lambda p: p.stem)
def test_each_machine_starts_its_own_processes(path):
    """DeepSpeed's own launcher would look for a host file and log in to the other machines."""
    pytest.importorskip("accelerate")
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

    from reproductions.shared import processes

    several = "--num_machines 2 --num_processes 8 --machine_rank 1 --main_process_ip 127.0.0.1"
    args = launch_command_parser().parse_args(
        ["--config_file", str(path), *several.split(), "--main_process_port", "20007", "x.py"]
    )
    args, defaults, _ = _validate_launch_command(args)
    if path.stem == "fsdp2":
        environ = prepare_multi_gpu_env(args)
    else:
        args.deepspeed_fields_from_accelerate_config = ",".join(defaults.deepspeed_config)
        command, environ = prepare_deepspeed_cmd_env(args)
        assert command is None  # torch's launcher
    assert (args.nnodes, args.node_rank, args.nproc_per_node) == ("2", 1, "4")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        assert processes.spread().removeprefix("deepspeed_") == path.stem


def test_a_server_that_ends_stops_the_job(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SHELL, "vllm", "exit 1")
        patch.setitem(SHELL, "curl", "exit 7")
        with pytest.raises(subprocess.CalledProcessError) as error:
            slurm(tmp_path, 2, "video_r1", SERVER_NODES="1")
    assert "the vLLM server on node2 has ended" in error.value.stderr
    assert "accelerate" not in error.value.stdout


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("hardware.devices=8",),
        (
            "hardware.rollout_engine=vllm_server",
            "hardware.devices=12",
            "hardware.rollout_devices=4",
        ),
        # one machine of 8 GPUs, two of which serve rollouts (README)
        (
            "hardware.rollout_engine=vllm_server",
            "hardware.devices=8",
            "hardware.rollout_devices=2",
        ),
        ("hardware.distributed=fsdp2",),
    ],
)
def test_what_the_templates_start_passes_the_dry_run(options):
    """The very settings with which the templates and their comments start the paper preset."""
    from vidpost.cli.train import run

    sets = [x for option in options for x in ("--set", option)]
    result = CliRunner().invoke(run, ["video_r1", "--preset", "paper", "--dry-run", *sets])
    assert result.exit_code == 0, result.output
    assert "rl (grpo)" in result.output
    for option in options:
        assert any(option.split("=")[0] in p.read_text() for p in TEXTS), option


def test_the_image_copies_what_exists():
    text = (LAUNCH / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
    extras = (ROOT / "pyproject.toml").read_text()
    for extra in re.search(r"\.\[([\w,]+)\]", text)[1].split(","):
        assert re.search(rf"^{extra} = \[", extras, re.MULTILINE), extra


def test_dry_run_of_the_paper_preset_prints_a_plan():
    from vidpost.cli.train import run

    result = CliRunner().invoke(run, ["video_r1", "--preset", "paper", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "8,292.2 M parameters" in result.output
