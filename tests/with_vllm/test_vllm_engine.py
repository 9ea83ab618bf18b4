"""vLLM in this process answers like transformers: same frames, same tokens, same log-probabilities.

Log-probabilities agree to 1e-5 here (float32, small models); the bound leaves room for other
kernels.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("vllm")

import torch
from engine_fixtures import padded, text_only

from reproductions.shared.inference.engine import Message, Request, Sampling, Shown
from reproductions.shared.inference.vllm import EngineError, VLLMGenerator
from reproductions.shared.models.encode import VISION_TOKENS
from reproductions.shared.training.forward import Part, score_packed

CLOSE = 1e-4
SHUFFLED = (5, 2, 7, 0, 3, 6, 1, 4)
CONVERSATION = (
    Message("system", "Be brief."),
    Message("user", "What moves?", Shown(frames=4, span=(0.0, 2.0))),
    Message("assistant", "A ball."),
    Message("user", "And here?", Shown(times=(1.0, 2.5), box=(0.0, 0.0, 0.5, 0.5))),
)


def same(ours, theirs):
    """All fields equal, log-probabilities but for rounding."""
    for a, b in zip(ours, theirs, strict=True):
        assert a.ids == b.ids
        assert (a.text, a.finished, a.prompt_tokens, a.frames) == (
            b.text, b.finished, b.prompt_tokens, b.frames
        )  # fmt: skip
        assert a.logprobs == pytest.approx(b.logprobs, abs=CLOSE)


def compare(both, requests, sampling):
    answers = both.vllm.generate(requests, sampling)
    for ours, theirs in zip(answers, both.hf.generate(requests, sampling), strict=True):
        same(ours, theirs)
    return answers


def test_greedy_answers_are_those_of_transformers(both):
    requests = [Request(text_only(both.samples[0])), *[Request(s, 2) for s in both.samples[:5]]]
    answers = compare(both, requests, Sampling(max_new_tokens=16))
    assert len({a[0].ids for a in answers}) == 6


def test_shown_parts_orders_and_beginnings_are_those_of_transformers(both):
    a, b = both.samples[:2]
    requests = [
        Request(a, messages=CONVERSATION),
        Request(b, messages=CONVERSATION[:2], prefix="It is"),
        Request(a, order=SHUFFLED),
        Request(b, order=(0, 1, 4, 5)),
        Request(b),
    ]
    answers = compare(both, requests, Sampling(max_new_tokens=8))
    assert [x[0].frames for x in answers][2:] == [8, 4, 8] and answers[0][0].frames >= 4
    assert len({x[0].ids for x in answers}) == 5


def test_pictures_are_those_of_transformers(both, tmp_path):
    from PIL import Image

    clip = both.encoder.read(both.samples[0].video)
    path = tmp_path / "frame.png"
    Image.fromarray(clip.frames[0]).save(path)
    read = both.encoder.read

    def with_picture(name, *shown):
        return (
            replace(clip, frames=clip.frames[:1]) if name.endswith(".png") else read(name, *shown)
        )

    both.encoder.read = with_picture
    try:
        sample = replace(both.samples[0], video=None, meta={"image": str(path)})
        compare(both, [Request(sample)], Sampling(max_new_tokens=8))
    finally:
        both.encoder.read = read


def test_stop_texts_end_an_answer(both):
    sample = both.samples[2]
    free = both.hf.generate([Request(sample)], Sampling(max_new_tokens=16))[0][0].text
    stop = next(free[i : i + 3] for i in range(4, len(free)) if free[i : i + 3].isprintable())
    stopped = compare(both, [Request(sample)], Sampling(max_new_tokens=16, stop=(stop, "\0")))
    assert stopped[0][0].finished and stop not in stopped[0][0].text
    assert free.startswith(stopped[0][0].text)


WORDS = ("yes", "yes it is", "no")


@pytest.mark.parametrize("choices", [("A", "B", "C"), WORDS, ("red", "blue", "not yet")])
def test_choices_are_whole_and_scored_by_the_model(both, choices):
    requests = [Request(s) for s in both.samples[:4]]
    answers = compare(both, requests, Sampling(choices=choices, max_new_tokens=1))
    assert {a[0].text for a in answers} <= set(choices)
    # The model's own log-probability, which is low, not that of the few tokens that were left.
    assert all(a[0].logprobs[0] < -1 for a in answers)
    drawn = both.vllm.generate(
        [Request(both.samples[0], 32)], Sampling(temperature=2.0, choices=choices)
    )[0]
    assert {a.text for a in drawn} == set(choices)
    # In the tokens that the tokenizer makes of them: a grammar would let "n" begin "no".
    for answer in (*drawn, *(a[0] for a in answers)):
        ids = both.encoder.tokenizer(answer.text, add_special_tokens=False)["input_ids"]
        assert list(answer.ids[: len(ids)]) == ids and len(answer.ids) <= len(ids) + 1


@pytest.fixture(scope="module")
def thirds(folder, both):
    """Clips whose time positions are whole numbers that 32-bit seconds do not quite reach."""
    import numpy as np

    from reproductions.shared.video.frames import write_mp4

    samples = []
    for n, rate in ((80, 24), (112, 24), (100, 30)):
        path = folder / f"{n}-{rate}.mp4"
        noise = np.random.default_rng(n).integers(0, 255, (n, 4, 4, 3), np.uint8)
        write_mp4(path, noise.repeat(8, 1).repeat(8, 2), rate)
        samples.append(replace(both.samples[0], id=path.stem, video=str(path)))
    return samples


def test_times_that_are_whole_stay_whole(both, thirds, monkeypatch):
    requests = [Request(s) for s in thirds]
    compare(both, requests, Sampling(max_new_tokens=8))
    if both.small.family != "qwen2_5_vl":
        return
    monkeypatch.setattr(both.vllm, "_slower", 1.0)
    sampling = Sampling(max_new_tokens=1, choices=("A",))
    ours, theirs = (g.generate(requests, sampling) for g in (both.vllm, both.hf))
    worst = max(abs(a[0].logprobs[0] - b[0].logprobs[0]) for a, b in zip(ours, theirs, strict=True))
    # Fails once vLLM is mended: then remove SLOWER, the report and these lines.
    assert worst > 10 * CLOSE, worst


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_are_those_the_trainer_computes(both, temperature):
    from trl.trainer.utils import add_fused_lm_head

    model = both.small.model()
    add_fused_lm_head(model, temperature=temperature, outputs=("log_probs", "entropy"))
    requests = [Request(s, 4) for s in both.samples[:3]]
    sampling = Sampling(temperature=temperature, top_p=0.9, top_k=40, max_new_tokens=10)
    answers = both.vllm.generate(requests, sampling)
    ids, mask, sampled = padded([a for g in answers for a in g])
    parts = [Part(both.encoder(r.sample), 4 * i, 4 * i + 4) for i, r in enumerate(requests)]
    with torch.no_grad():
        logps, _ = score_packed(model, parts, ids, mask)
    torch.testing.assert_close(logps * mask, sampled, atol=CLOSE, rtol=0)


def test_an_answer_depends_on_its_request_alone(both):
    requests = [Request(s, 3) for s in both.samples[:4]]
    requests += [replace(requests[0], stream=1), replace(requests[1], n=1)]
    sampling = Sampling(temperature=1.0, max_new_tokens=10, seed=5)
    together = both.vllm.generate(requests, sampling)
    alone = [both.vllm.generate([r], sampling)[0] for r in requests]
    back = both.vllm.generate(requests[::-1], sampling)[::-1]
    assert [[a.ids for a in g] for g in together] == [[a.ids for a in g] for g in alone]
    assert [[a.ids for a in g] for g in together] == [[a.ids for a in g] for g in back]
    assert len({a.ids for g in together[:5] for a in g}) == 15
    assert together[5][0].ids == together[1][0].ids  # the first of more answers
    other = both.vllm.generate(requests[:1], replace(sampling, seed=6))[0]
    assert not {a.ids for a in other} & {a.ids for a in together[0]}


def test_sampled_frequencies_are_the_probabilities(both):
    """The same distribution as ours, by the model's own numbers: one token, 1,500 draws."""
    sample = both.samples[0]
    sampling = Sampling(temperature=1.0, top_k=8, max_new_tokens=1)
    drawn = both.vllm.generate([Request(sample, 1500)], sampling)[0]
    share = torch.tensor([a.logprobs[0] for a in drawn]).exp()
    tokens = torch.tensor([a.ids[0] for a in drawn])
    kinds, counts = tokens.unique(return_counts=True)
    probabilities = torch.stack([share[tokens == k][0] for k in kinds])
    assert len(kinds) == 8
    expected = probabilities / probabilities.sum() * len(drawn)
    assert ((counts - expected) ** 2 / expected).sum() < 29.9  # chi-square, 7 df, p = 1e-4


def test_vision_tokens_are_never_written(both):
    """They ask the next forward for pixels; here the model wants nothing else."""
    forbidden = both.encoder.forbidden_ids()
    weights = {k: v.clone() for k, v in both.model.state_dict().items()}
    head = weights["lm_head.weight"]
    before = head.clone()
    head[:] = 0
    head[forbidden] = before[forbidden] * 50
    both.vllm.load_weights(weights.items())
    try:
        for temperature in (0.0, 1.0):
            sampling = Sampling(temperature=temperature, max_new_tokens=6)
            for answer in both.vllm.generate([Request(both.samples[0], 4)], sampling)[0]:
                assert not set(answer.ids) & set(forbidden)
                assert not any(t in answer.text for t in VISION_TOKENS)
    finally:
        both.vllm.follow(both.model)


def test_every_end_token_of_the_checkpoint_ends_an_answer(both):
    weights = {k: v.clone() for k, v in both.model.state_dict().items()}
    ends = both.model.generation_config.eos_token_id
    assert len(ends) == 2
    head = weights["lm_head.weight"]
    try:
        for end in ends:
            before = head.clone()
            head[:] = 0  # all alike but one; whatever its sign, one of the two below is chosen
            head[end] = before[end] * 50
            both.vllm.load_weights(weights.items())
            answers = both.vllm.generate(
                [Request(both.samples[0], 64)], Sampling(temperature=1.0, max_new_tokens=64)
            )[0]
            ended = [a for a in answers if a.finished]
            assert ended and all(
                a.ids[-1] in ends and not set(a.ids[:-1]) & set(ends) for a in ended
            )
            assert any(a.ids[-1] == end for a in ended)
            head[:] = before
    finally:
        both.vllm.follow(both.model)


def test_new_weights_leave_nothing_of_the_old_ones(both):
    """Cached prefixes and cached features of videos would otherwise answer for the old model."""
    requests = [Request(s) for s in both.samples[:3]]
    sampling = Sampling(max_new_tokens=8)
    old = both.vllm.generate(requests, sampling)
    kept = {k: v.clone() for k, v in both.model.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    try:
        with torch.no_grad():
            for name, parameter in both.model.named_parameters():
                if "visual" in name:  # nothing else: only the features of the video tell
                    parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
        both.vllm.follow(both.model)
        new = compare(both, requests, sampling)
        assert all(a[0].logprobs != b[0].logprobs for a, b in zip(old, new, strict=True))
    finally:
        both.model.load_state_dict(kept)
        both.vllm.follow(both.model)
    assert [a[0].ids for a in both.vllm.generate(requests, sampling)] == [a[0].ids for a in old]


def test_adapters_are_merged_on_the_way(both):
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(
        both.small.model(),
        LoraConfig(
            r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
        ),
    )
    before = {k: v.clone() for k, v in model.state_dict().items()}
    both.vllm.follow(model)
    try:
        requests = [Request(s) for s in both.samples[:2]]
        answers = both.vllm.generate(requests, Sampling(max_new_tokens=8))
        merged = replace(both, model=None, hf=type(both.hf)(model.merge_and_unload(), both.encoder))
        for ours, theirs in zip(
            answers, merged.hf.generate(requests, Sampling(max_new_tokens=8)), strict=True
        ):
            same(ours, theirs)
    finally:
        both.vllm.follow(both.model)
    assert set(before)  # unmerged again, see the next rollout of a trainer


def test_progress_and_empty_calls(both):
    told = []
    both.vllm.progress = told.append
    try:
        requests = [Request(both.samples[0], 0), Request(both.samples[1], 2)]
        answers = both.vllm.generate(requests, Sampling(max_new_tokens=2))
        assert [len(a) for a in answers] == [0, 2] and told == [2]
        assert both.vllm.generate([], Sampling()) == []
    finally:
        both.vllm.progress = None


def test_a_caller_that_stops_leaves_the_engine_usable(both):
    requests = [Request(s, 2) for s in both.samples[:4]]
    stream = both.vllm.each(requests, Sampling(temperature=1.0, max_new_tokens=16))
    next(stream)
    stream.close()
    compare(both, requests[:1], Sampling(max_new_tokens=4))


def test_a_moment_outside_the_video_is_named_and_the_engine_goes_on(both):
    messages = (Message("user", "Look", Shown(times=(500.0,))),)
    with pytest.raises(ValueError, match="outside the video"):
        both.vllm.generate(
            [Request(both.samples[1]), Request(both.samples[0], messages=messages)], Sampling()
        )
    compare(both, [Request(both.samples[0])], Sampling(max_new_tokens=4))


def test_the_runs_random_streams_are_left_alone(both):
    """vLLM seeds them all when it starts in the same process."""
    assert both.draws[0] == both.draws[1]


def test_a_checkpoint_that_is_none_is_named(both):
    with pytest.raises(EngineError, match=r"does not start with .*nothing"):
        VLLMGenerator(both.small.checkpoint / "nothing", both.encoder)
