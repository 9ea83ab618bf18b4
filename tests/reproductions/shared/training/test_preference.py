"""Preference training on the small model with real mp4 files."""

from __future__ import annotations

import dataclasses
import math

import pytest

torch = pytest.importorskip("torch")

from reproductions.shared.models import torchvision_cure  # noqa: E402

torchvision_cure.apply()

from transformers import AutoModelForImageTextToText, AutoProcessor  # noqa: E402
from trl import DPOConfig  # noqa: E402

from reproductions.baselines.dpo.method import METHOD  # noqa: E402
from reproductions.shared.inference.engine import Completion, Sampling  # noqa: E402
from reproductions.shared.method import Context, Method, MethodError, Rollouts, Sample  # noqa: E402
from reproductions.shared.models.encode import Encoder  # noqa: E402
from reproductions.shared.models.tiny import TinyConfig, build  # noqa: E402
from reproductions.shared.prompts import rationale_target, think_then_answer  # noqa: E402
from reproductions.shared.synthetic.dataset import build as build_clips  # noqa: E402
from reproductions.shared.training.preference import (  # noqa: E402
    Pair,
    PairCollator,
    VideoDPOTrainer,
    best_and_worst,
    pairs_of,
    sample_pairs,
)
from reproductions.shared.video.decode import read_frames  # noqa: E402
from reproductions.shared.video.spec import FrameSpec  # noqa: E402

SAMPLE = Sample(id="s", question="How many?", answer="2")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("preference")
    samples = build_clips(folder / "clips", ["counting"], 6, 0, "train")
    texts = [think_then_answer(s) + rationale_target(s) for s in samples]
    checkpoint = build(folder / "models", TinyConfig(layers=2, vision_layers=2), texts)
    spec = FrameSpec(sampling="uniform", num_frames=4, max_pixels=28 * 28)

    def load():
        model = AutoModelForImageTextToText.from_pretrained(checkpoint)
        processor = AutoProcessor.from_pretrained(checkpoint)
        return model, Encoder(processor, model, lambda p: read_frames(p, spec), METHOD.prompt)

    pairs = [
        Pair(s, rationale_target(s), f"<think></think><answer>{9 - int(i)}</answer>")
        for i, s in enumerate(samples)
    ]
    return load, pairs, folder


def config(folder, **extra):
    return DPOConfig(
        output_dir=str(folder / "out"),
        per_device_train_batch_size=2,
        max_steps=2,
        learning_rate=1e-3,
        beta=0.1,
        max_length=None,
        remove_unused_columns=False,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        **extra,
    )


@pytest.mark.train
@pytest.mark.parametrize("checkpointing", [False, True])
def test_two_steps_change_every_parameter_and_leave_the_reference(parts, checkpointing):
    load, pairs, folder = parts
    model, encoder = load()
    before = {k: v.detach().clone() for k, v in model.named_parameters()}
    args = config(folder)
    args.gradient_checkpointing = checkpointing
    trainer = VideoDPOTrainer(
        model=model, args=args, method=METHOD, pairs=pairs, encoder=encoder, max_answer_length=48
    )
    result = trainer.train()
    assert math.isfinite(result.training_loss)
    # The policy starts as the reference, so the first loss is -log sigmoid(0).
    first = next(r["loss"] for r in trainer.state.log_history if "loss" in r)
    assert first == pytest.approx(math.log(2), abs=1e-4)
    same = [k for k, v in model.named_parameters() if torch.equal(v, before[k])]
    assert same == []
    moved = [k for k, v in trainer.ref_model.named_parameters() if not torch.equal(v, before[k])]
    assert moved == []


@pytest.mark.train
def test_one_vision_pass_gives_the_numbers_of_one_a_row(parts):
    load, pairs, folder = parts
    model, encoder = load()
    trainer = VideoDPOTrainer(
        model=model, args=config(folder), method=METHOD, pairs=pairs, encoder=encoder
    )
    collate = PairCollator(pairs, encoder)
    # The second and third row look at the same video.
    again = Pair(pairs[0].sample, "<answer>7</answer>", "<answer>8</answer>")
    collate.pairs = [pairs[0], again, pairs[1]]
    batch = collate([{"pair": i} for i in range(3)])
    assert batch["video_grid_thw"].shape[0] == 2
    assert batch["video_of_row"] == [0, 0, 1, 0, 0, 1]
    seen = []
    calls = []

    def spy(tokens):
        seen.append(tokens)
        return tokens.logps.sum()

    trainer.method = Method(id="spy", loss=spy)
    hook = model.model.visual.register_forward_hook(
        lambda module, args, out: calls.append(len(out.pooler_output))
    )
    trainer._compute_loss(model, batch)
    hook.remove()
    assert len(calls) == 1
    tokens = seen[0]
    assert tokens.pairs[1] is again and tokens.beta == 0.1
    single = [pairs[0].chosen, "<answer>7</answer>", pairs[1].chosen]
    single += [pairs[0].rejected, "<answer>8</answer>", pairs[1].rejected]
    for row, text in enumerate(single):
        prompt = encoder([pairs[0], again, pairs[1]][row % 3].sample)
        tokenizer = encoder.tokenizer
        answer = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        ids = torch.cat([prompt.ids, torch.tensor(answer)]).unsqueeze(0)
        places = torch.arange(len(answer)).expand(3, -1) + prompt.next_position
        positions = torch.cat([prompt.positions, places], dim=1).unsqueeze(1)
        with torch.no_grad():
            out = model(input_ids=ids, position_ids=positions, **prompt.video)
        logps = out.logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[-len(answer) :, 0]
        kept = tokens.logps[row][tokens.mask[row].bool()]
        assert tokens.ids[row][tokens.mask[row].bool()].tolist() == answer
        torch.testing.assert_close(kept.detach(), logps, atol=2e-5, rtol=0)
        # The reference is a copy of the policy, which has not moved yet.
        torch.testing.assert_close(
            tokens.ref_logps[row][tokens.mask[row].bool()], logps, atol=2e-5, rtol=0
        )


@pytest.mark.train
def test_a_method_may_bring_its_own_loss(parts):
    load, pairs, folder = parts
    model, encoder = load()

    known = []

    def hinge(tokens):
        known.append((tokens.context.variant, tokens.context.step))
        margin = ((tokens.logps - tokens.ref_logps) * tokens.mask).sum(1)
        chosen, rejected = margin.chunk(2)
        return torch.relu(1 - tokens.beta * (chosen - rejected)).mean()

    method = Method(id="hinge", loss=hinge)
    trainer = VideoDPOTrainer(
        model=model,
        args=config(folder),
        method=method,
        pairs=pairs,
        encoder=encoder,
        context=Context(variant="official_code"),
    )
    trainer.train()
    losses = [r["loss"] for r in trainer.state.log_history if "loss" in r]
    assert known[:2] == [("official_code", 0), ("official_code", 1)]
    assert losses[0] == pytest.approx(1.0, abs=1e-4)
    assert losses[1] < losses[0]


def test_pairs_come_from_records():
    sample = Sample(id="a", question="?", answer="x", meta={"chosen": "x", "rejected": "y"})
    assert pairs_of([sample]) == [Pair(sample, "x", "y")]
    with pytest.raises(ValueError, match=r"1 samples hold no pair: s\..*meta\['chosen'\]"):
        pairs_of([sample, SAMPLE])
    with pytest.raises(ValueError, match="s: chosen and rejected are the same"):
        Pair(SAMPLE, "x", "x")


def test_pairs_come_from_sampled_answers():
    other = Sample(id="o", question="?", answer="1")
    made = best_and_worst(
        [SAMPLE, other], [["a", "b", "c"], ["d", "e", "f"]], [[0.0, 2.0, 1.0], [1.0, 1.0, 1.0]]
    )
    assert made == [Pair(SAMPLE, "b", "a")]


def test_the_model_makes_its_own_pairs():
    class Scripted:
        def generate(self, requests, sampling):
            return [
                [Completion(text, (), (), True) for text in ("<answer>2</answer>", "<answer>3")]
                for _ in requests
            ]

    numeric = Sample(id="n", question="How many?", answer="2", problem_type="numerical")
    made = sample_pairs([numeric], Scripted(), METHOD, Sampling(temperature=1.0), n=2)
    assert made == [Pair(numeric, "<answer>2</answer>", "<answer>3")]
    with pytest.raises(ValueError, match="above 0"):
        sample_pairs([numeric], Scripted(), METHOD, Sampling(temperature=0.0))


@pytest.mark.parametrize("given", [None, [math.nan, 1.0], [1.0], ["a", "b"]], ids=str)
def test_a_reward_without_numbers_makes_no_pairs(given):
    class Scripted:
        def generate(self, requests, sampling):
            return [[Completion(text, (), (), True) for text in "ab"] for _ in requests]

    def broken(**columns):
        return given

    method = Method(id="m", rewards=(broken,))
    with pytest.raises(MethodError, match=r"test_preference\.py:\d+: 'broken' returned"):
        sample_pairs([SAMPLE], Scripted(), method, Sampling(temperature=1.0), n=2)


def test_other_views_and_given_answers_make_pairs():
    asked = []

    class Scripted:
        def encoder(self, sample):
            return type("Prompt", (), {"times": (0.0, 1.0, 2.0, 3.0)})

        def generate(self, requests, sampling):
            asked.extend(requests)
            texts = {None: ["right", "wrong"], (0, 2): ["wrong", "wrong!"]}
            return [
                [Completion(t, (1,), (), True) for t in texts[r.order][: r.n]] for r in requests
            ]

    def build_group(sample, context):
        assert context.num_generations == 8 and context.settings["kind"] == "preference"
        thin = Rollouts(2, "thin", lambda frames: range(0, frames, 2), trained=False)
        return [Rollouts(1), thin, Rollouts(0, "gold", given=("gold",))]

    def reward(prompts, completions, **columns):
        assert columns["view"] == ["ordered", "thin", "thin", "gold"]
        return [{"right": 2.0, "wrong": 1.0, "wrong!": 0.0, "gold": 3.0}[t] for t in completions]

    sample = dataclasses.replace(SAMPLE, video="a.mp4")
    method = Method(id="m", rewards=(reward,), build_group=build_group)
    sampling = Sampling(temperature=1.0)
    assert sample_pairs([sample], Scripted(), method, sampling) == [Pair(sample, "gold", "wrong!")]
    assert [(r.n, r.order, r.stream) for r in asked] == [(1, None, 0), (2, (0, 2), 1), (0, None, 2)]

    # What shape_rewards makes of the scores decides instead; an untrained answer is never chosen.
    def turned(group, context):
        return [-s for s in group.scores["reward"]]

    method = dataclasses.replace(method, shape_rewards=turned)
    assert sample_pairs([sample], Scripted(), method, sampling) == []


@pytest.mark.train
@pytest.mark.parametrize("adapters", [False, True])
def test_the_divergence_from_the_reference_is_that_of_the_full_distributions(parts, adapters):
    load, pairs, folder = parts
    model, encoder = load()
    if adapters:
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(r=2, target_modules="all-linear"))
    seen = []

    def loss(tokens):
        seen.append((tokens, tokens.ref_kl()))
        return seen[-1][1].sum() + tokens.logps.sum()

    trainer = VideoDPOTrainer(
        model=model,
        args=config(folder),
        method=Method(id="kl", loss=loss),
        pairs=pairs,
        encoder=encoder,
    )
    plain = trainer.ref_model or load()[0]  # what the policy was before it moved
    batch = PairCollator(pairs, encoder)([{"pair": 0}, {"pair": 4}])
    trainer._compute_loss(model, batch)
    assert float(seen[0][1].detach().abs().max()) < 1e-5
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and ".ref." not in name:
                parameter += 0.02
    trainer._compute_loss(model, batch).backward()
    tokens, kl = seen[1]
    assert kl.shape == (2, tokens.logps.shape[1])
    for row in range(2):
        prompt = encoder(pairs[4 * row].sample)
        length = int(batch["attention_mask"][row].sum())
        ids = batch["input_ids"][row : row + 1, :length]
        positions = batch["position_ids"][:, row : row + 1, :length]
        with torch.no_grad():
            p, q = (
                m(input_ids=ids, position_ids=positions, **prompt.video).logits[0].log_softmax(-1)
                for m in (plain, model)
            )
        start = len(prompt.ids) - 1
        wanted = (p.exp() * (p - q)).sum(-1)[start : length - 1]
        assert float(wanted.min()) > 0
        torch.testing.assert_close(kl[row, start : length - 1].detach(), wanted, atol=1e-4, rtol=0)
        assert float(kl[row, :start].abs().sum() + kl[row, length - 1 :].abs().sum()) == 0


@pytest.mark.train
def test_adapters_train_and_the_base_stays(parts):
    from peft import LoraConfig, get_peft_model

    load, pairs, folder = parts
    model, encoder = load()
    model = get_peft_model(model, LoraConfig(r=2, target_modules="all-linear"))
    before = {k: v.detach().clone() for k, v in model.named_parameters()}
    trainer = VideoDPOTrainer(
        model=model, args=config(folder), method=METHOD, pairs=pairs, encoder=encoder
    )
    assert trainer.ref_model is None
    trainer.train()
    after = dict(model.named_parameters())  # TRL adds a copy of the adapter, "ref"
    moved = {k for k in before if not torch.equal(after[k], before[k])}
    assert moved == {k for k in before if "lora_" in k}
    ref = {k: v for k, v in after.items() if ".ref." in k}
    assert ref
    assert all(torch.equal(v, before[k.replace(".ref.", ".default.")]) for k, v in ref.items())


def test_samples_may_hold_their_pairs(parts):
    load, pairs, folder = parts
    model, encoder = load()
    held = [
        dataclasses.replace(p.sample, meta={"chosen": p.chosen, "rejected": p.rejected})
        for p in pairs
    ]
    trainer = VideoDPOTrainer(
        model=model, args=config(folder), method=METHOD, samples=held, encoder=encoder
    )
    assert [p.chosen for p in trainer.collate.pairs] == [p.chosen for p in pairs]


def test_faulty_arguments_are_refused(parts):
    load, pairs, folder = parts
    model, encoder = load()
    with pytest.raises(ValueError, match="no preference pairs"):
        VideoDPOTrainer(model=model, args=config(folder), method=METHOD, pairs=[], encoder=encoder)
    args = config(folder)
    args.max_length = 128
    with pytest.raises(ValueError, match="max_length=None"):
        VideoDPOTrainer(model=model, args=args, method=METHOD, pairs=pairs, encoder=encoder)
