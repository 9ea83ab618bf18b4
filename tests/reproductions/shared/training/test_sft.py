"""Fine-tuning: loss on the target alone, as a hand-made cross-entropy says."""

from __future__ import annotations

import re

import pytest
from engine_fixtures import text_only, weights_of

torch = pytest.importorskip("torch")

from reproductions.shared.models import torchvision_cure  # noqa: E402

torchvision_cure.apply()

from trl import SFTConfig  # noqa: E402

from reproductions.baselines.grpo.method import METHOD  # noqa: E402
from reproductions.shared.method import Method  # noqa: E402
from reproductions.shared.prompts import rationale_target  # noqa: E402
from reproductions.shared.training.sft import VideoCollator, VideoSFTTrainer  # noqa: E402


@pytest.fixture(scope="module")
def loaded(engine):
    model = engine.model()
    return model, engine.encoder(model)


def mixed(engine):
    """A short and a long prompt with video, and one without."""
    return [engine.samples[0], engine.samples[1], text_only(engine.samples[2])]


def answer_span(text):
    return [m.span() for m in re.finditer(r"<answer>.*?</answer>", text)]


def config(folder, **extra):
    settings = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 3,
        "max_steps": 2,
        "learning_rate": 1e-3,
        "max_length": None,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "remove_unused_columns": False,
        "gradient_checkpointing": False,
        "bf16": False,
        "use_cpu": True,
        "report_to": [],
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
    }
    return SFTConfig(**settings | extra)


def by_hand(model, encoder, samples, spans=None):
    """(sum of -log p over the target tokens that count, how many), one sample at a time."""
    total, count = 0.0, 0
    for sample in samples:
        prompt, text = encoder(sample), rationale_target(sample)
        encoded = encoder.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        target = [*encoded["input_ids"], encoder.tokenizer.eos_token_id]
        counts = [True] * len(target)
        if spans is not None:
            inside = {i for a, b in spans(text) for i in range(a, b)}
            counts = [bool(inside & set(range(*o))) for o in encoded["offset_mapping"]] + [True]
        ids = torch.cat([prompt.ids, torch.tensor(target)])
        after = torch.arange(len(target)).expand(3, -1) + prompt.next_position
        positions = torch.cat([prompt.positions, after], dim=1).unsqueeze(1)
        logits = model(input_ids=ids[None], position_ids=positions, **prompt.video).logits[0]
        logps = logits.float().log_softmax(-1)
        for i, counted in enumerate(counts):
            if counted:
                total = total - logps[len(prompt.ids) + i - 1, target[i]]
                count += 1
    return total, count


def test_labels_cover_the_target_and_nothing_else(engine, loaded):
    _, encoder = loaded
    samples = mixed(engine)
    collate = VideoCollator(samples, encoder, rationale_target)
    batch = collate([{"sample": i} for i in (2, 0, 1)])
    for row, sample in enumerate([samples[2], samples[0], samples[1]]):
        prompt = encoder(sample)
        counted = batch["labels"][row] != -100
        text = encoder.tokenizer.decode(batch["labels"][row][counted])
        assert text == rationale_target(sample) + "<|im_end|>"
        first = int(counted.nonzero()[0])
        assert (
            first == len(prompt.ids) and counted.sum() + first == batch["attention_mask"][row].sum()
        )
        assert torch.equal(batch["input_ids"][row][:first], prompt.ids)
        assert torch.equal(batch["input_ids"][row][counted], batch["labels"][row][counted])
        assert batch["position_ids"][0, row, first] == prompt.next_position
    # The videos follow in the order of the rows, the text-only one has none.
    expected = torch.cat([encoder(s).video["pixel_values_videos"] for s in samples[:2]])
    assert torch.equal(batch["pixel_values_videos"], expected)


@pytest.mark.parametrize("spans", [None, answer_span], ids=["all", "answer"])
def test_the_loss_is_the_cross_entropy_of_the_target(engine, loaded, tmp_path, spans):
    model, encoder = loaded
    samples = mixed(engine)
    method = Method(id="probe", format_target=rationale_target, loss_mask=spans)
    trainer = VideoSFTTrainer(
        model=model,
        args=config(tmp_path),
        method=method,
        samples=samples,
        encoder=encoder,
        max_target_length=4096,
    )
    batch = trainer.collate([{"sample": i} for i in range(3)])
    model.zero_grad(set_to_none=True)
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    ours = {k: p.grad.clone() for k, p in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    total, count = by_hand(model, encoder, samples, spans)
    (total / count).backward()
    assert loss.item() == pytest.approx((total / count).item(), abs=1e-5)
    for name, parameter in model.named_parameters():
        error = (ours[name] - parameter.grad).norm() / parameter.grad.norm()
        assert error < 1e-4, f"{name}: {error:.1e}"
    model.zero_grad(set_to_none=True)


def test_a_loss_mask_selects_the_tokens_of_its_spans(qwen):
    encoder = qwen.encoder(qwen.model())
    sample = qwen.samples[0]
    ids, labels = VideoCollator([sample], encoder, rationale_target, answer_span).labelled(sample)
    kept = encoder.tokenizer.decode([t for t in labels if t != -100])
    assert kept == f"<answer>{sample.answer}</answer><|im_end|>"
    assert encoder.tokenizer.decode(ids) == rationale_target(sample) + "<|im_end|>"


def test_long_targets_are_cut(qwen):
    encoder = qwen.encoder(qwen.model())
    for spans in (None, answer_span):
        collate = VideoCollator(qwen.samples, encoder, rationale_target, spans, max_length=5)
        ids, labels = collate.labelled(qwen.samples[0])
        assert len(ids) == len(labels) == 5


@pytest.mark.train
@pytest.mark.parametrize("kind", ["plain", "checkpointing", "bf16"])
def test_two_steps_change_every_parameter_and_lower_the_loss(engine, tmp_path, kind):
    model = engine.model(dtype="bfloat16" if kind == "bf16" else "float32").train()
    encoder = engine.encoder(model)
    trainer = VideoSFTTrainer(
        model=model,
        args=config(
            tmp_path,
            max_steps=3,
            learning_rate=2e-2 if kind == "bf16" else 1e-3,
            gradient_checkpointing=kind == "checkpointing",
            bf16=kind == "bf16",
        ),
        method=METHOD,
        samples=mixed(engine),
        encoder=encoder,
        max_target_length=64,
    )
    before = weights_of(model)
    trainer.train()
    same = [k for k, v in weights_of(model).items() if torch.equal(v, before[k])]
    assert same == []
    losses = [float(r["loss"]) for r in trainer.state.log_history if "loss" in r]
    assert losses[-1] < losses[0]


@pytest.mark.train
def test_two_accumulated_batches_weigh_tokens_alike(qwen, tmp_path):
    """Targets have unequal lengths: the mean is over the tokens of the whole step."""
    after = []
    samples = mixed(qwen) * 2
    for size, parts in ((6, 1), (3, 2)):
        model = qwen.model().train()
        trainer = VideoSFTTrainer(
            model=model,
            args=config(
                tmp_path,
                per_device_train_batch_size=size,
                gradient_accumulation_steps=parts,
                max_steps=1,
                optim="sgd",
                learning_rate=0.1,
                max_grad_norm=1e9,
            ),
            method=METHOD,
            samples=samples,
            encoder=qwen.encoder(model),
            max_target_length=64,
        )
        trainer.train()
        after.append(weights_of(model))
    start = weights_of(qwen.model())
    for name, value in after[0].items():
        moved = (value - start[name]).norm()
        assert (after[1][name] - value).norm() < 1e-3 * moved, name


def test_a_method_without_a_target_is_refused(qwen, tmp_path):
    model = qwen.model()
    with pytest.raises(ValueError, match="'probe' sets no format_target"):
        VideoSFTTrainer(
            model=model,
            args=config(tmp_path),
            method=Method(id="probe"),
            samples=qwen.samples,
            encoder=qwen.encoder(model),
            max_target_length=8,
        )
