"""Each hook of a method acts where it should; rewards and advantages worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import mean, stdev

import pytest
from engine_fixtures import even_share, grpo_method, grpo_trainer, text_only, weights_of

torch = pytest.importorskip("torch")

from reproductions.shared.inference.engine import Completion  # noqa: E402
from reproductions.shared.method import MethodError, Rollouts  # noqa: E402
from reproductions.shared.rewards.rules import accuracy, format_reward  # noqa: E402
from reproductions.shared.training import grpo, scoring  # noqa: E402
from reproductions.shared.training.tokens import Tokens  # noqa: E402

pytestmark = pytest.mark.train

GAMMA = 0.1


def one_batch(trainer, groups=2):
    """The first batch of a trainer, without an optimiser step."""
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    rows = [{"sample": i} for i in range(groups) for _ in range(trainer.num_generations)]
    return trainer._prepare_inputs(rows)


def gradient(trainer, batch):
    trainer.model.zero_grad(set_to_none=True)
    loss = trainer._compute_loss(trainer.model, batch)
    loss.backward()
    grads = [p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]
    return loss.detach(), torch.cat(grads)


@pytest.fixture
def script(qwen, monkeypatch):
    """Lets a trainer write prepared texts: set `texts` to (sample, index, order) -> text."""

    class Scripted:
        texts = staticmethod(lambda sample, index, order: "")

        def __init__(self, model, encoder):
            self.tokenizer = encoder.tokenizer

        def generate(self, requests, sampling):
            return [
                [self.one(Scripted.texts(r.sample, i, r.order)) for i in range(r.n)]
                for r in requests
            ]

        def one(self, text):
            ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            ids = (*ids, self.tokenizer.eos_token_id)
            return Completion(text, ids, (0.0,) * len(ids), True)

    monkeypatch.setattr(grpo, "HFGenerator", Scripted)
    return Scripted


def answer(text):
    return f"<think>x</think><answer>{text}</answer>"


# --- rewards and advantages -------------------------------------------------------------------


def right(count):
    """The first `count` answers are right, the rest wrong; the last has no format."""
    return lambda sample, i, order: (
        f"<answer>{sample.answer}" if i == 3 else answer(sample.answer if i < count else "zzz")
    )


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_advantages_of_a_scripted_case(qwen, tmp_path, script, scale):
    """Two groups of four: totals by hand, then TRL's three scalings by hand."""
    per_sample = {qwen.samples[0].id: 2, qwen.samples[1].id: 0}
    script.texts = lambda s, i, o: right(per_sample[s.id])(s, i, o)
    records = []
    method = grpo_method(rewards=(accuracy("video_r1"), format_reward("video_r1")))
    trainer = grpo_trainer(
        qwen,
        tmp_path,
        method,
        samples=qwen.samples[:2],
        on_rollouts=records.extend,
        scale_rewards=scale,
        max_completion_length=64,
    )
    batch = one_batch(trainer)
    # The unclosed answer tag is worth nothing: accuracy 1,1,0,0 + format 1,1,1,0; then 0 + 1,1,1,0.
    totals = [[2.0, 2.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]]
    assert [r["total"] for r in records] == totals[0] + totals[1]
    assert records[0]["scores"] == {"accuracy": 1.0, "format": 1.0}
    assert [r["group"] for r in records] == [0] * 4 + [1] * 4
    deviations = [[x - mean(t) for x in t] for t in totals]
    if scale == "group":
        # 1.25 +- 0.9574, 0.75 +- 0.5
        assert stdev(totals[0]) == pytest.approx(0.957427, abs=1e-6)
        expected = [
            d / (stdev(t) + 1e-4) for t, ds in zip(totals, deviations, strict=True) for d in ds
        ]
        assert expected[0] == pytest.approx(0.75 / 0.957527, abs=1e-5)
    else:
        spread = stdev(totals[0] + totals[1]) + 1e-4 if scale == "batch" else 1.0
        expected = [d / spread for ds in deviations for d in ds]
    assert batch["advantages"].tolist() == pytest.approx(expected, abs=1e-6)
    assert batch["rewards"].tolist() == totals[0] + totals[1]
    assert batch["groups"] == [(0, 4), (4, 8)]
    assert [r["advantage"] for r in records] == pytest.approx(expected, abs=1e-6)


def test_reward_weights(qwen, tmp_path, script):
    script.texts = right(2)
    records = []
    method = grpo_method(
        rewards=(accuracy("video_r1"), format_reward("video_r1")), reward_weights=(2.0, 0.5)
    )
    trainer = grpo_trainer(
        qwen, tmp_path, method, on_rollouts=records.extend, max_completion_length=64
    )
    one_batch(trainer, groups=1)
    assert [r["total"] for r in records] == [2.5, 2.5, 0.5, 0.0]


def test_rewards_see_every_answer_with_its_columns(qwen, tmp_path):
    seen = {}

    def reward(prompts, completions, **columns):
        seen.update(columns, prompts=prompts, completions=completions)
        return [float(i) for i in range(len(completions))]

    plan = [Rollouts(4), Rollouts(2, view="twin", trained=False)]
    trainer = grpo_trainer(
        qwen, tmp_path, grpo_method(rewards=(reward,), build_group=lambda s, c: plan)
    )
    one_batch(trainer)
    samples = [qwen.samples[0]] * 6 + [qwen.samples[1]] * 6
    assert seen["solution"] == [s.answer for s in samples]
    assert seen["problem_type"] == [s.problem_type for s in samples]
    assert seen["sample"] == samples
    assert seen["view"] == (["ordered"] * 4 + ["twin"] * 2) * 2
    assert seen["length"] == [len(i) for i in seen["completion_ids"]]
    assert seen["prompts"][0] == trainer.encoder(samples[0]).text
    assert len(seen["completions"]) == 12 and "trainer_state" in seen


def test_a_reward_of_the_wrong_length_is_named(qwen, tmp_path):
    def broken(prompts, completions, **columns):
        return [1.0]

    trainer = grpo_trainer(qwen, tmp_path, grpo_method(rewards=(broken,)))
    with pytest.raises(ValueError, match="'broken' returned 1 values for 8 answers"):
        one_batch(trainer)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "'broken' returned None. Return a list with one finite float"),
        (1.0, "'broken' returned 1.0. Return a list"),
        ("12345678", "'broken' returned '12345678'. Return a list"),
        ([1.0] * 7 + [math.nan], "'broken' returned nan for an answer to question '"),
        ([1.0] * 7 + [math.inf], "'broken' returned inf for an answer"),
        ([1.0] * 7 + ["1"], "'broken' returned '1' for an answer"),
        ([1.0] * 7 + [None], "'broken' returned None for an answer"),
    ],
    ids=str,
)
def test_a_reward_that_gives_no_numbers_is_named(qwen, given, said):
    def broken(**columns):
        return given

    line = broken.__code__.co_firstlineno
    with pytest.raises(MethodError) as caught:
        scoring.checked(broken, broken(), qwen.samples[:8])
    assert said in str(caught.value)
    assert f"shared/training/test_grpo_hooks.py:{line}: " in str(caught.value)


@pytest.mark.parametrize("given", [[1, True, 0.5], torch.tensor([1.0, 1.0, 0.5])], ids=str)
def test_numbers_of_any_kind_are_scores(qwen, given):
    assert scoring.checked(even_share, given, qwen.samples[:3]) == [1.0, 1.0, 0.5]


@pytest.mark.parametrize("hook", ["shape_rewards", "advantages"])
def test_totals_and_advantages_are_finite_too(qwen, tmp_path, hook):
    def broken(group, context):
        return [math.nan] * len(group.completions)

    trainer = grpo_trainer(qwen, tmp_path, grpo_method(**{hook: broken}))
    with pytest.raises(MethodError, match="'broken' returned nan"):
        one_batch(trainer)


# --- the group --------------------------------------------------------------------------------


def test_an_untrained_twin_on_shuffled_frames_informs_rewards_only(engine, tmp_path):
    groups, orders = [], []

    def build_group(sample, context):
        if sample.video is None:
            return [Rollouts(context.num_generations)]

        def shuffled(frames):
            orders.append(context.rng.sample(range(frames), frames))
            return orders[-1]

        return [
            Rollouts(context.num_generations),
            Rollouts(2, view="shuffled", frames=shuffled, trained=False),
        ]

    def shape_rewards(group, context):
        groups.append(group)
        bonus = mean(group.scores["even_share"][i] for i in group.where("shuffled") or [0])
        return [group.scores["even_share"][i] + bonus for i in group.where("ordered")]

    method = grpo_method(build_group=build_group, shape_rewards=shape_rewards)
    samples = [engine.samples[0], text_only(engine.samples[1])]
    records = []
    trainer = grpo_trainer(engine, tmp_path, method, samples=samples, on_rollouts=records.extend)
    batch = one_batch(trainer)
    video, text = groups
    assert video.views == ["ordered"] * 4 + ["shuffled"] * 2
    assert video.trained == [True] * 4 + [False] * 2
    assert text.views == ["ordered"] * 4
    assert [len(x) for x in (video.completions, video.lengths, video.scores["even_share"])] == [
        6
    ] * 3
    assert sorted(orders[0]) == list(range(8)) and orders[0] != list(range(8))
    # Only the eight trained answers are in the loss, on their own prompts.
    assert batch["groups"] == [(0, 4), (4, 8)] and len(batch["completion_ids"]) == 8
    assert [(p.start, p.stop) for p in batch["parts"]] == [(0, 4), (4, 8)]
    assert batch["parts"][0].prompt is trainer.encoder(samples[0])
    assert [r["total"] is None for r in records] == [False] * 4 + [True] * 2 + [False] * 4
    loss, grad = gradient(trainer, batch)
    assert torch.isfinite(loss) and torch.isfinite(grad).all() and grad.norm() > 0
    trainer.train()


def test_a_trained_twin_is_scored_on_its_own_frames(qwen, tmp_path):
    back = list(range(8))[::-1]
    plan = [Rollouts(2), Rollouts(2, view="reversed", frames=lambda n: back)]
    trainer = grpo_trainer(qwen, tmp_path, grpo_method(build_group=lambda s, c: plan))
    batch = one_batch(trainer, groups=1)
    sample = qwen.samples[0]
    expected = [trainer.encoder(sample), trainer.encoder(sample, back)]
    assert [p.prompt for p in batch["parts"]] == expected
    assert [(p.start, p.stop) for p in batch["parts"]] == [(0, 2), (2, 4)]
    trainer.train()


def test_given_answers_join_the_group(qwen, tmp_path):
    gold = answer("2")
    plan = [Rollouts(3, given=(gold,))]
    records = []
    trainer = grpo_trainer(
        qwen,
        tmp_path,
        grpo_method(build_group=lambda s, c: plan),
        on_rollouts=records.extend,
        max_completion_length=32,
    )
    batch = one_batch(trainer, groups=1)
    assert records[3]["completion"] == gold
    tokenizer = trainer.encoder.tokenizer
    ids = [*tokenizer(gold, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    assert batch["completion_ids"][3][batch["completion_mask"][3].bool()].tolist() == ids
    assert records[3]["total"] == pytest.approx(even_share([], completion_ids=[ids])[0])
    # A given answer is cut like a sampled one, and a group may hold nothing else.
    trainer.args.max_completion_length = 4
    plan[0] = Rollouts(0, given=(gold, answer("3")))
    batch = one_batch(trainer, groups=1)
    assert batch["completion_ids"].shape == (2, 4)


def test_one_decode_and_one_rollout_a_group(qwen, tmp_path):
    trainer = grpo_trainer(qwen, tmp_path, max_steps=3)
    qwen.reads.clear()
    used = []
    real = trainer._context_for
    trainer._context_for = lambda s: used.append(s.video) or real(s)
    trainer.train()
    assert len(used) == 6 and sorted(qwen.reads) == sorted(set(used))


def test_each_epoch_has_an_order_of_its_own(qwen, tmp_path):
    trainer = grpo_trainer(qwen, tmp_path, samples=qwen.samples[:6], max_steps=6)
    used = []
    real = trainer._context_for
    trainer._context_for = lambda s: used.append(s.id) or real(s)
    trainer.train()
    first, second = used[:6], used[6:]
    assert sorted(first) == sorted(second) == sorted(s.id for s in qwen.samples[:6])
    assert first != second


def test_groups_stay_whole_when_a_generated_batch_is_cut(qwen, tmp_path):
    batches = []

    def loss(tokens):
        batches.append(tokens)
        return tokens.logps.sum() * 0

    trainer = grpo_trainer(
        qwen,
        tmp_path,
        grpo_method(loss=loss),
        per_device_train_batch_size=4,
        gradient_accumulation_steps=3,
        max_steps=1,
    )
    parts = []
    real = trainer._collate
    trainer._collate = lambda rows: parts.append(rows) or real(rows)
    trainer.train()
    assert [t.groups for t in batches] == [[(0, 4)]] * 3
    prompts = {id(row.parts[0].prompt) for rows in parts for row in rows}
    assert [len(rows) for rows in parts] == [1, 1, 1] and len(prompts) == 3
    for tokens in batches:
        assert tokens.advantages.sum().abs() < 1e-4  # of one group


def test_the_context_of_a_hook(qwen, tmp_path):
    contexts = []

    def build_group(sample, context):
        contexts.append((sample.id, context, context.rng.random()))
        return [Rollouts(context.num_generations)]

    method = grpo_method(build_group=build_group)
    trainer = grpo_trainer(qwen, tmp_path, method, seed=5, scale_rewards="none")
    trainer.train()
    first = contexts[0][1]
    assert [c.step for _, c, _ in contexts] == [0, 0, 1, 1]
    assert (first.total_steps, first.num_generations, first.seed) == (2, 4, 5)
    assert (first.variant, first.scale_rewards, first.settings) == ("paper", "none", {"note": 1})
    assert len({r for _, _, r in contexts}) == 4
    numbers = [(i, r) for i, _, r in contexts]
    contexts.clear()
    grpo_trainer(qwen, tmp_path, method, seed=5).train()
    assert [(i, r) for i, _, r in contexts] == numbers  # a function of seed, step and sample


# --- the loss ---------------------------------------------------------------------------------


def test_own_advantages(qwen, tmp_path):
    def advantages(group, context):
        assert len(group.completions) == len(group.lengths) == 4 and context.rng is not None
        assert group.totals == group.scores["even_share"]
        return [10 * r for r in group.totals]

    trainer = grpo_trainer(qwen, tmp_path, grpo_method(advantages=advantages))
    batch = one_batch(trainer)
    torch.testing.assert_close(batch["advantages"], 10 * batch["rewards"])


def test_token_weights(qwen, tmp_path):
    seen = []
    plain = grpo_trainer(qwen, tmp_path, loss_type="dapo")
    batch = one_batch(plain)
    loss, expected = gradient(plain, batch)

    def with_weights(function):
        def weights(tokens):
            seen.append(tokens)
            return function(tokens)

        plain.method = grpo_method(token_weights=weights)
        return gradient(plain, dict(batch))

    same, grad = with_weights(lambda t: torch.ones_like(t.logps))
    torch.testing.assert_close(grad, expected, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(same, loss)
    assert len(seen) == 2 and all(isinstance(t, Tokens) and t.groups == [(0, 4)] for t in seen)
    assert torch.equal(torch.cat([t.advantages for t in seen]), batch["advantages"])
    _, grad = with_weights(lambda t: torch.zeros_like(t.logps))
    assert grad.norm() == 0
    _, twice = with_weights(lambda t: 2 * torch.ones_like(t.logps))
    torch.testing.assert_close(twice, 2 * expected, rtol=1e-5, atol=1e-8)
    # A weight on the first token alone is the gradient of the first tokens alone.
    first = torch.zeros_like(batch["completion_mask"])
    first[:, 0] = 1
    _, grad = with_weights(lambda t: first[:4].float())
    masked = dict(batch, completion_mask=batch["completion_mask"] * first)
    plain.method = grpo_method()
    _, alone = gradient(plain, masked)
    torch.testing.assert_close(grad, alone, rtol=1e-4, atol=1e-7)


def test_token_weights_leave_the_kl_alone(qwen, tmp_path):
    method = grpo_method(token_weights=lambda t: torch.zeros_like(t.logps))
    trainer = grpo_trainer(qwen, tmp_path, method, beta=0.1)
    batch = one_batch(trainer)
    batch["ref_per_token_logps"] = batch["ref_per_token_logps"] - 1
    _, grad = gradient(trainer, batch)
    assert grad.norm() > 0


def test_own_loss_sees_everything_and_replaces_trl(qwen, tmp_path):
    seen = []

    def loss(tokens):
        seen.append(tokens)
        line = (tokens.logps * tokens.mask).sum(1) * tokens.advantages
        return -line.mean() + GAMMA * (tokens.ref_logps * tokens.mask).mean()

    trainer = grpo_trainer(qwen, tmp_path, grpo_method(loss=loss), beta=0.04)
    batch = one_batch(trainer)
    value, grad = gradient(trainer, batch)
    tokens = seen[0]
    assert tokens.logps.requires_grad and not tokens.old_logps.requires_grad
    torch.testing.assert_close(tokens.old_logps, tokens.logps.detach())
    torch.testing.assert_close(tokens.ref_logps, tokens.old_logps, atol=1e-5, rtol=0)
    assert (tokens.entropies[tokens.mask.bool()] > 0).all()
    assert tokens.groups == [(0, 4), (4, 8)]
    assert torch.equal(tokens.rewards, batch["rewards"])
    torch.testing.assert_close(value, loss(tokens).detach())
    assert grad.norm() > 0
    # Under accumulation it is averaged over the batches.
    trainer.current_gradient_accumulation_steps = 4
    torch.testing.assert_close(gradient(trainer, batch)[0], value / 4)
    trainer.train()
    assert all(
        not torch.equal(p, q)
        for p, q in zip(trainer.model.parameters(), weights_of(qwen.model()).values(), strict=True)
    )


@pytest.mark.parametrize("shared_prefix", [True, False])
def test_the_vocabulary_of_a_group(engine, tmp_path, shared_prefix):
    """Of every token in every place, and equal to the log-probability of the sampled one."""
    seen = []

    def weights(tokens):
        longest = tokens.ids.shape[1]
        parts = [tokens.vocabulary(t, min(t + 3, longest)) for t in range(0, longest, 3)]
        seen.append((tokens, torch.cat(parts, 1)))
        return torch.ones_like(tokens.logps)

    method = grpo_method(token_weights=weights)
    trainer = grpo_trainer(
        engine, tmp_path, method, shared_prefix=shared_prefix, temperature=0.7, beta=0.04
    )
    batch = one_batch(trainer)
    _, grad = gradient(trainer, batch)
    assert len(seen) == 2 and grad.norm() > 0
    for tokens, logps in seen:
        assert logps.shape[:2] == tokens.ids.shape == (4, tokens.mask.shape[1])
        torch.testing.assert_close(logps.exp().sum(-1), torch.ones(tokens.ids.shape))
        chosen = logps.gather(-1, tokens.ids.unsqueeze(-1)).squeeze(-1) * tokens.mask
        torch.testing.assert_close(chosen, tokens.logps, atol=1e-4, rtol=0)
        entropy = -(logps.exp() * logps).sum(-1) * tokens.mask
        torch.testing.assert_close(entropy, tokens.entropies, atol=1e-4, rtol=0)
        assert logps.requires_grad
    method = grpo_method(loss=lambda t: -(t.vocabulary(0, 1)[:, 0, 0]).mean())
    trainer.method = method
    assert gradient(trainer, batch)[1].norm() > 0


def test_rewards_know_the_run(qwen, tmp_path):
    """Each answer's context: variant, step, its own sample's frame times, the frozen checkpoint."""
    known = []

    def reward(prompts, completions, **columns):
        known.append(columns["context"])
        return [float(i) for i in range(len(completions))]

    samples = [qwen.samples[0], text_only(qwen.samples[1])]
    trainer = grpo_trainer(qwen, tmp_path, grpo_method(rewards=(reward,)), samples=samples)
    trainer.context = replace(trainer.context, variant="official_code", frozen="checkpoint")
    trainer.state.global_step = 3
    one_batch(trainer)
    (contexts,) = known
    assert len(contexts) == 8 and {c.variant for c in contexts} == {"official_code"}
    assert [c.times for c in contexts[:4]] == [tuple(trainer.encoder(samples[0]).times)] * 4
    assert [len(c.times) for c in contexts] == [8] * 4 + [0] * 4
    assert {(c.step, c.frozen, c.settings["note"]) for c in contexts} == {(3, "checkpoint", 1)}


def test_vision_tokens_are_not_sampled_while_training(qwen, tmp_path):
    trainer = grpo_trainer(qwen, tmp_path)
    forbidden = trainer.encoder.forbidden_ids()

    def prefer(module, args, out):
        out[..., forbidden] += 100
        return out

    trainer.model.get_output_embeddings().register_forward_hook(prefer)
    batch = one_batch(trainer)
    assert not torch.isin(batch["completion_ids"], torch.tensor(forbidden)).any()


def test_rollout_metrics(qwen, tmp_path, script):
    per_sample = {qwen.samples[0].id: 2, qwen.samples[1].id: 2}
    script.texts = lambda s, i, o: answer(s.answer if i < per_sample[s.id] else "zzz")
    method = grpo_method(rewards=(accuracy("video_r1"),))
    trainer = grpo_trainer(
        qwen, tmp_path, method, samples=qwen.samples[:2], max_completion_length=64
    )
    one_batch(trainer)
    metrics = {k: v[-1] for k, v in trainer._metrics["train"].items()}
    assert metrics["reward"] == metrics["rewards/accuracy/mean"] == 0.5
    assert metrics["frac_reward_zero_std"] == 0 and metrics["completions/clipped_ratio"] == 0
    per_sample[qwen.samples[1].id] = 0  # all wrong: no advantage
    batch = one_batch(trainer)
    assert trainer._metrics["train"]["frac_reward_zero_std"][-1] == 0.5
    assert batch["advantages"][4:].tolist() == [0.0] * 4
