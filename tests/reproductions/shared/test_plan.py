"""What a run needs: numbers worked out by hand, and what the real trainer and PEFT do."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import time
from itertools import accumulate
from pathlib import Path

import pytest

from reproductions.shared import estimate, plan_table
from reproductions.shared.devices import GIB, Machine, this_machine
from reproductions.shared.method import Method, Rollouts
from reproductions.shared.models.sizes import (
    SIZES,
    PlanError,
    architecture_of,
    text_flops,
    vision_flops,
)
from reproductions.shared.plan import check_machine, make_plan
from reproductions.shared.plan_table import render
from vidpost.catalog.preset import load_preset, read_mapping, without_source

ROOT = Path(__file__).parents[3]
PAPERS = sorted((ROOT / "reproductions").glob("*/*/paper.yaml"))
BIG = Machine(gpus=(("H20", 95.6),) * 4, ram_gib=1000, free_disk_gib=2000)
SEVEN = SIZES["qwen2_5_vl", "7B"]
N = 8_292_166_656


def twin_group(sample, context):
    """T-GRPO's groups: G trained answers and G/2 on another view."""
    n = context.num_generations
    return [Rollouts(n), Rollouts(n // 2, view="shuffled", trained=False)]


def preset(name="video_r1", kind="methods", **overrides):
    keys = {k.replace("__", "."): v for k, v in overrides.items()}
    return load_preset(ROOT / "reproductions" / kind / name / "paper.yaml", keys)


def stage(plan, name):
    return next(s for s in plan.stages if s.name == name)


@pytest.mark.parametrize("path", PAPERS, ids=lambda p: p.parent.name)
def test_paper_presets_are_whole_and_can_be_planned(path):
    assert without_source(read_mapping(path)) == []
    loaded = load_preset(path)
    assert loaded.method == path.parent.name
    plan = make_plan(loaded, machine=BIG)
    assert all(s.memory["peak"] > 0 for s in plan.stages)


def test_video_r1_by_hand():
    plan = make_plan(preset(), Method(id="m", build_group=twin_group), BIG)
    sft, rl = stage(plan, "sft"), stage(plan, "rl")
    # 165,000 samples over 4 devices x 1 x 2; 1,200 steps of 4 groups.
    assert (sft.samples_an_update, sft.updates) == (8, 20_625)
    assert (rl.samples_an_update, rl.updates, rl.answers) == (4, 1_200, 12)
    assert rl.prompt_tokens == 1_024 + estimate.TEXT_TOKENS == 1_184
    # Packed: the prompt once, then 8 answers of 400 tokens with a copy of the prompt's last token.
    assert rl.tokens_an_update == 4 * (1_184 + 8 * 401)
    assert sft.tokens_an_update == 8 * (1_184 + 400)
    # Each answer sees the prompt and itself, and its 400 tokens are scored.
    tokens, pairs = 1_184 + 8 * 401, 1_184**2 + 8 * 401 * (1_184 + 401)
    language = text_flops(SEVEN.text, tokens, pairs, 8 * 400)
    assert rl.flops["language forward"] == pytest.approx(4 * language)
    # Twice the forward, the head's tiles once more, and the layers once more (checkpointing).
    assert rl.flops["language backward"] == pytest.approx(4 * (3 * language))
    embedding, tower = vision_flops(SEVEN.vision, rl.clip)
    assert rl.flops["vision forward"] == pytest.approx(4 * (embedding + tower))
    assert rl.flops["vision backward"] == pytest.approx(4 * (embedding + 3 * tower))
    assert rl.flops["reference"] == pytest.approx(4 * (embedding + tower + language))
    # Both views are prefilled; 12 answers of 400 tokens are decoded.
    prefill = embedding + tower + text_flops(SEVEN.text, 1_184, 1_184**2, 1)
    assert rl.flops["rollout prefill"] == pytest.approx(4 * 2 * prefill)
    seen = 400 * 1_184 + 400**2 / 2
    decode = text_flops(SEVEN.text, 400, seen, 400)
    assert rl.flops["rollout decode"] == pytest.approx(4 * 12 * decode)
    assert "rollout decode" not in sft.flops
    # Without the method a group is its 8 answers.
    plain = stage(make_plan(preset(), machine=BIG), "rl")
    assert plain.flops["rollout decode"] == pytest.approx(4 * 8 * decode)
    # Without the shared prefix each answer has a row of its own.
    rows = stage(make_plan(preset(train__shared_prefix=False), machine=BIG), "rl")
    assert rows.tokens_an_update == 4 * 8 * (1_184 + 400)


def test_time_by_hand():
    rl = stage(make_plan(preset(), machine=BIG), "rl")
    outside = sum(v for k, v in rl.flops.items() if k != "rollout decode") / 4
    # 768 tokens one after the other; on an H20 weights and cache take less than 35 ms to read:
    # 2 bytes x (7.6e9 + (1,184 + 8 x 400 tokens) x 28,672) / 2.4e12 bytes/s = 6.5 ms.
    expected = outside / (148e12 * 0.35) + 768 * 0.035
    assert rl.seconds["H20"] == pytest.approx(expected)
    assert rl.hours["H20"] == pytest.approx(expected * 1_200 / 3_600)
    assert sum(rl.phases["H20"].values()) == pytest.approx(expected)
    assert rl.phases["H20"]["rollout decode"] == 768 * 0.035
    # A server on one of four devices answers for the other three, which wait.
    fast = stage(
        make_plan(
            preset(hardware__rollout_engine="vllm_server", hardware__rollout_devices=1), machine=BIG
        ),
        "rl",
    )
    assert fast.samples_an_update == 3
    read = 2 * (SEVEN.text.parameters + 3 * (1_184 + 8 * 400) * 28_672)
    phases = fast.phases["A100-80G"]
    assert phases["rollout decode"] == pytest.approx(768 * max(0.012, read / (2.04e12 * 0.6)))
    prefill = fast.flops["rollout prefill"]
    assert phases["rollout prefill"] == pytest.approx(prefill / (312e12 * 0.35))


def test_communication_by_hand():
    """ZeRO-3: weights are gathered for forward and backward, and here for the reference and for
    rollouts, gradients are scattered; three quarters of it come from the other three devices."""
    made = preset(hardware__devices=16)
    rl = stage(make_plan(made, machine=BIG), "rl")
    seconds = 5 * 2 * N * 15 / 16 / (50e9 * 0.6)  # between machines
    computing = rl.phases["H100"]["update"] + rl.phases["H100"]["reference"]
    assert rl.phases["H100"]["communication"] == pytest.approx(seconds - computing)
    # Eight devices of one machine hide it behind computing.
    near = stage(make_plan(preset(hardware__devices=8), machine=BIG), "rl")
    assert "communication" not in near.phases["H100"]


def test_the_reported_hours_are_within_a_factor_of_three():
    """Issues 41 and 80 of tulerfeng/Video-R1: 40 h of SFT, 15 h for 1,000 RL steps, 4 H20."""
    plan = make_plan(preset(), Method(id="m", build_group=twin_group), BIG)
    assert plan.like == "H20" and plan.reported_hours == 58
    assert 40 / 3 < stage(plan, "sft").hours["H20"] < 40 * 3
    assert 18 / 3 < stage(plan, "rl").hours["H20"] < 18 * 3


@pytest.mark.parametrize(
    ("spread", "devices", "expected"),
    [
        # ZeRO, Fig. 1: 2 + 2 + 12 bytes a parameter, of which the stage divides some.
        ("deepspeed_zero2", 64, 2 + 14 / 64),
        ("deepspeed_zero3", 64, 16 / 64),
        ("fsdp2", 4, 16 / 4),
        ("none", 1, 4 + 4 + 8),  # all in 32 bits, see training/stage.py
    ],
)
def test_bytes_a_parameter(spread, devices, expected):
    made = make_plan(preset(hardware__distributed=spread, hardware__devices=devices), machine=BIG)
    memory = stage(made, "sft").memory
    states = memory["weights"] + memory["gradients"] + memory["optimiser"]
    assert states * GIB / N == pytest.approx(expected)


def test_memory_of_a_rollout_by_hand():
    memory = stage(make_plan(preset(), machine=BIG), "rl").memory
    # 2 x 28 layers x 4 heads x 128 = 28,672 numbers of 2 bytes a token; 8 answers at the limit.
    # The prompt's keys are kept once.
    assert memory["rollout cache"] * GIB == (1_184 + 8 * 768) * 28_672 * 2
    # ZeRO-3 gathers the whole model to generate; the reference is spread like the policy.
    assert memory["rollout weights"] * GIB == 2 * N
    assert memory["reference"] * GIB == 2 * N / 4
    always = sum(memory[k] for k in ("weights", "gradients", "optimiser", "reference"))
    rollout = memory["rollout cache"] + memory["rollout weights"]
    always += memory["gathered layers"]
    assert rollout > memory["activations"] + memory["vision activations"] + memory["head"]
    assert memory["peak"] == pytest.approx((always + rollout) * 1.1 + 1)
    without = stage(make_plan(preset(stages__rl__beta=0.0), machine=BIG), "rl")
    assert "reference" not in without.memory and "reference" not in without.flops


def test_checkpointing_keeps_inputs_only():
    slow = stage(make_plan(preset(), machine=BIG), "sft")
    fast = stage(make_plan(preset(model__gradient_checkpointing=False), machine=BIG), "sft")
    assert fast.memory["activations"] > 10 * slow.memory["activations"]
    assert slow.flops["language backward"] > 1.4 * fast.flops["language backward"]


def test_a_frozen_tower_has_no_backward():
    frozen = stage(make_plan(preset(model__freeze_vision=True), machine=BIG), "sft")
    assert frozen.flops["vision backward"] == 0
    whole = stage(make_plan(preset(), machine=BIG), "sft")
    ratio = frozen.memory["optimiser"] / whole.memory["optimiser"]
    assert ratio == pytest.approx(SEVEN.text.parameters / N)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_adapters_are_as_many_as_peft_adds(family, tmp_path):
    pytest.importorskip("torch")
    from reproductions.shared.models import torchvision_cure

    torchvision_cure.apply()
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    from reproductions.shared.models.tiny import TinyConfig, build

    checkpoint = build(tmp_path, TinyConfig(family=family), ["How many? 2"])
    model = AutoModelForImageTextToText.from_pretrained(checkpoint)
    model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    small = tiny_preset(model__lora={"rank": 4}, model__family=family)
    sizes = architecture_of(small.model)
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert estimate.trained_parameters(small, sizes) == count


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_activations_are_near_what_autograd_keeps(family, tmp_path):
    torch = pytest.importorskip("torch")
    from reproductions.shared.models import torchvision_cure

    torchvision_cure.apply()
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    from reproductions.shared.models.sizes import Clip
    from reproductions.shared.models.tiny import TinyConfig, build

    checkpoint = build(tmp_path, TinyConfig(family=family), ["How many? 2"])
    model = AutoModelForImageTextToText.from_pretrained(checkpoint, attn_implementation="sdpa")
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    names = ("<|vision_start|>", "<|video_pad|>", "<|vision_end|>")
    start, video, end = tokenizer.convert_tokens_to_ids(list(names))
    runs = 4 if family == "qwen3_vl" else 1
    prompt = ([start] + [video] * (64 // runs) + [end]) * runs
    ids = torch.tensor([prompt + [5] * 100])
    sizes = architecture_of(tiny_preset(model__family=family).model)
    call = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "position_ids": torch.arange(ids.shape[1]).expand(3, 1, -1),
        "pixel_values_videos": torch.randn(256, sizes.vision.patch_numbers),
        "video_grid_thw": torch.tensor([[4, 8, 8]]),
    }
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}
    alive = []

    def pack(tensor):
        alive.append(tensor)  # so that no address is used twice
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        model.model(**call)
    length = ids.shape[1]
    estimated = estimate._activations(
        tiny_preset(model__family=family), sizes, Clip(4, 64, 64), length, length**2, 1, 4
    )
    assert sum(estimated.values()) == pytest.approx(sum(kept.values()), rel=0.25)


@pytest.fixture(scope="module")
def update(tmp_path_factory):
    """(clip, R, G, checkpointing) -> (seconds of the processor, peak bytes, planned peak, FLOPs) of
    the update of one group on a model in the proportions of Qwen2.5-VL-3B."""
    torch = pytest.importorskip("torch")
    from torch.profiler import ProfilerActivity, profile

    from benchmarks import workload
    from reproductions.shared.models.sizes import Clip, architecture_of
    from reproductions.shared.training.forward import Part, score_packed
    from vidpost.catalog.preset import Tiny

    checkpoint = workload.prepare(tmp_path_factory.mktemp("model"))
    sizes = workload.MODEL
    names = [n for n in Tiny.model_fields if n not in ("vocab_size", "initializer_range")]
    tiny = {n: getattr(sizes, n) for n in names}

    def measure(video, answer, group, checkpointing=False):
        model = workload.load(checkpoint, fused=True)
        if checkpointing:
            model.gradient_checkpointing_enable()
        encoder = workload.encoder(checkpoint, model)
        prompt = encoder(workload.question(video))
        ids = torch.randint(5, 200, (group, answer))

        def step():
            model.zero_grad(set_to_none=True)
            parts = [Part(prompt, 0, group)]
            (-score_packed(model, parts, ids, torch.ones_like(ids))[0].mean()).backward()

        step()
        begin = time.process_time()
        step()
        seconds = time.process_time() - begin
        model.zero_grad(set_to_none=True)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            step()
        events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
        held = accumulate(e.nbytes() for e in sorted(events, key=lambda e: e.start_ns()))
        tiny["vocab_size"] = len(encoder.tokenizer)
        small = tiny_preset(model__tiny=tiny, model__gradient_checkpointing=checkpointing)
        arch = architecture_of(small.model)
        steps, high, wide = prompt.video["video_grid_thw"][0].tolist()
        clip = Clip(steps, high * wide, steps * high * wide // 4)
        p, n = len(prompt.ids), group * (answer + 1)
        pairs = p**2 + n * (p + answer + 1)
        memory = estimate._memory(
            small, arch, small.stages["rl"].model_copy(update={"beta": 0.0}), 1, clip,
            (p + n, pairs, p + n), 1, 0,
        )  # fmt: skip
        states = sum(memory[k] for k in ("weights", "gradients", "optimiser"))
        language = text_flops(arch.text, p + n, pairs, p + n)
        flops = 3 * (language + sum(vision_flops(arch.vision, clip)))
        flops += language if checkpointing else 0
        return seconds, max(held), (memory["peak"] - states) * GIB, flops

    return measure


@pytest.mark.train
@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_peak_of_an_update_is_within_a_quarter(update, checkpointing):
    _, peak, planned, _ = update("32x224", 64, 8, checkpointing)
    assert planned == pytest.approx(peak, rel=0.25)


@pytest.mark.train
def test_the_time_of_an_update_grows_as_planned(update):
    """Clips of half the length with half the answers: the ratio of times is that of FLOPs."""
    small, large = update("16x224", 64, 4), update("32x224", 128, 8)
    assert large[0] / small[0] == pytest.approx(large[3] / small[3], rel=0.25)


def test_a_prompt_that_may_be_too_long_is_said_before():
    limited = preset(stages__rl__max_prompt_length=1_100)
    plan = make_plan(limited, machine=BIG)
    (note,) = plan.notes
    assert "stages.rl.max_prompt_length" in note and "1,184 tokens (1,024 of them video)" in note
    assert "frames.max_pixels" in note
    assert make_plan(preset(), machine=BIG).notes == ()


def tiny_preset(**overrides):
    return preset(
        **{
            "model__id": "tiny",
            "model__tiny": {},
            "model__dtype": "float32",
            "model__gradient_checkpointing": False,
            "frames": {"sampling": "uniform", "num_frames": 8, "max_pixels": 784, "fps": None,
                       "min_frames": None, "max_frames": None, "min_pixels": None},
            "stages__sft__data": "synthetic",
            "stages__rl__data": "synthetic",
            "stages__sft__batch_size": 32,
            "stages__sft__gradient_accumulation": 1,
            "stages__sft__max_completion_length": 40,
            "evaluate__benchmarks": ["synthetic"],
            "evaluate__frames": None,
            "synthetic": {"tasks": ["counting"], "train": 640, "validation": 8, "test": 300},
            "hardware__device": "cpu",
            "hardware__devices": 1,
            "hardware__memory_gib": 4,
            "hardware__distributed": "none",
            "hardware__hours": None,
            **overrides,
        }
    )  # fmt: skip


def test_devices_share_the_questions():
    def hours(devices):
        overrides = {"hardware__devices": devices, "hardware__rollout_devices": devices // 4}
        return stage(make_plan(tiny_preset(**overrides)), "synthetic").hours["CPU"]

    batches = math.ceil(300 / tiny_preset().evaluate.batch_size)
    assert hours(4) / hours(1) == pytest.approx(math.ceil(batches / 3) / batches)


def test_a_small_run_fits_anywhere_and_downloads_nothing():
    plan = make_plan(tiny_preset(), machine=Machine((), ram_gib=8, free_disk_gib=10))
    assert plan.faults == () and plan.downloads == ()
    sft = stage(plan, "sft")
    assert (sft.samples, sft.updates) == (640, 20)
    # Measured: 0.2 s for forward and backward of 32 rows.
    assert 0.1 < sft.seconds["CPU"] < 0.4
    assert stage(plan, "synthetic").samples == 300


def test_preference_pairs_are_two_rows_and_one_clip():
    plan = make_plan(preset("dpo", "baselines", stages__preference__samples=1280), machine=BIG)
    pairs = stage(plan, "preference")
    assert pairs.samples_an_update == 128
    assert pairs.tokens_an_update == 128 * 2 * (1_184 + 400)
    assert pairs.updates == 30  # 3 epochs of 1,280 pairs
    assert pairs.flops["vision forward"] == pytest.approx(
        128 * sum(vision_flops(SEVEN.vision, pairs.clip))
    )
    assert "reference" in pairs.memory and "rollout cache" not in pairs.memory


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (Machine((), 1000, 2000), ["no NVIDIA GPU", "4 with 96 GiB"]),
        (Machine((("A", 80.0),), 1000, 2000), ["1 of the 4 GPUs", "gradient_accumulation times 4"]),
        (Machine((("RTX 4090", 24.0),) * 4, 1000, 2000), ["needs about", "RTX 4090 has 24"]),
        (Machine((("A", 80.0),) * 4, 16, 2000), ["16 GiB of RAM"]),
        (Machine((("A", 80.0),) * 4, 1000, 20), ["20 GiB of free disk"]),
    ],
)  # fmt: skip
def test_a_machine_that_is_too_small_is_told_once(machine, words):
    faults = check_machine(preset(), machine)
    assert len(faults) == 1
    assert all(word in faults[0] for word in words)
    verdict = make_plan(preset(), machine=machine).verdict
    assert faults[0] in verdict and "--preset mini" in verdict and "launch/" in verdict


def test_a_machine_that_is_big_enough_passes():
    assert check_machine(preset(), BIG) == []
    assert check_machine(preset(), Machine((("A100-80G", 80.0),) * 4, 1000, 2000)) == []


def test_this_machine_is_looked_at_with_nvidia_smi(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H20, 97871'\necho 'NVIDIA H20, 97871'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    machine = this_machine()
    assert machine.gpus == (("NVIDIA H20", 97871 / 1024),) * 2
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert this_machine().gpus == ()
    assert machine.ram_gib > 0.5 and machine.free_disk_gib > 0


def test_an_unknown_model_is_refused():
    with pytest.raises(PlanError, match="SIZES"):
        make_plan(preset(model__id="somebody/some-model"), machine=BIG)


def test_output_is_json_and_a_table_that_says_what_is_reported():
    from rich.console import Console

    plan = make_plan(preset(), machine=BIG)
    again = json.loads(json.dumps(plan.to_dict()))
    assert again["parameters"]["all"] == N
    assert again["downloads"][0]["id"] == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert again["downloads"][1]["gib"] == pytest.approx(310e9 / GIB)
    console = Console(width=80, file=io.StringIO())
    console.print(render(plan))
    text = " ".join(console.file.getvalue().split())
    assert "…" not in text  # nothing is cut in a terminal of 80 columns
    assert "Training as reported: 58 h." in text and "Not counted: decoding of videos" in text
    assert "8,292.2 M parameters" in text and "Video-R1/Video-R1-data (288.7 GiB" in text
    assert "samples 165,000 260,000" in text
    assert "GiB a device: weights 3.86 3.86 15.45" in text  # 2 x 8.29e9 / 4, and whole


@pytest.mark.parametrize(
    ("value", "text"), [(1.234e15, "1.23 P"), (5.6e9, "5.6 G"), (12.0, "12"), (0.0, "")]
)
def test_flops_are_written_with_a_unit(value, text):
    assert plan_table._flops(value) == text


@pytest.mark.parametrize(
    ("hours", "text"),
    [([0.5], "30.0 min"), ([1.5, 1.0], "2.5 h"), ([None], "?"), ([2.0, None], "2.0 h + ?")],
)
def test_times_are_written_with_a_unit(hours, text):
    assert plan_table._time(hours) == text


def test_planning_imports_no_torch():
    code = (
        "import sys; from reproductions.shared.plan import make_plan; "
        "from reproductions.shared.plan_table import render; "
        "from vidpost.catalog.preset import load_preset; from pathlib import Path; "
        f"render(make_plan(load_preset(Path({str(PAPERS[-1])!r})))); "
        "sys.exit(bool({'torch', 'transformers', 'trl', 'av', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
