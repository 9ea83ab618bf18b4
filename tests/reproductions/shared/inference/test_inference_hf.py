"""Answers of the transformers generator: the same tokens as `generate`, whatever the batch."""

from __future__ import annotations

import pytest
from engine_fixtures import padded, text_only

torch = pytest.importorskip("torch")

from reproductions.shared.inference import hf  # noqa: E402
from reproductions.shared.inference.engine import Request, Sampling  # noqa: E402
from reproductions.shared.inference.hf import HFGenerator  # noqa: E402
from reproductions.shared.models.encode import base_of  # noqa: E402
from reproductions.shared.training.forward import Part, score_packed  # noqa: E402

SHUFFLED = (5, 2, 7, 0, 3, 6, 1, 4)


@pytest.fixture(scope="module")
def loaded(engine):
    model = engine.model(fused=True)
    return model, engine.encoder(model)


@pytest.fixture
def eos(loaded):
    """Sets the end-of-sequence tokens for one test."""
    config = loaded[0].generation_config
    before = config.eos_token_id

    def use(ids):
        config.eos_token_id = ids

    yield use
    config.eos_token_id = before


@pytest.fixture
def shapes(loaded):
    """(rows, columns) of every call of the model."""
    seen = []
    hook = loaded[0].register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(tuple(kwargs["input_ids"].shape)),
        with_kwargs=True,
    )
    yield seen
    hook.remove()


def requests_of(engine):
    """Videos with prompts of two lengths, shuffled frames and a text."""
    a, b, c = engine.samples[:3]
    return [
        Request(a, 2),
        Request(b),
        Request(text_only(b)),
        Request(c, 3),
        Request(a, 1, SHUFFLED),
    ]


def reference(engine, model, encoder, sample, order, new):
    prompt = encoder(sample, order)
    inputs = {"input_ids": prompt.ids[None], "attention_mask": torch.ones_like(prompt.ids)[None]}
    if prompt.video:
        types = 2 * (prompt.ids == encoder.processor.video_token_id).long()
        inputs |= prompt.video | {"mm_token_type_ids": types[None]}
        if engine.family == "qwen2_5_vl":
            inputs["second_per_grid_ts"] = [2 * (prompt.times[-1] + 1) / len(prompt.times)]
    out = model.generate(
        **inputs,
        do_sample=False,
        max_new_tokens=new,
        suppress_tokens=encoder.forbidden_ids(),
        pad_token_id=encoder.tokenizer.pad_token_id,
    )
    return out[0, len(prompt.ids) :].tolist()


def test_greedy_answers_are_those_of_transformers(engine, loaded, eos):
    model, encoder = loaded
    requests = requests_of(engine)
    free = HFGenerator(model, encoder).generate(requests, Sampling(max_new_tokens=12))
    # End some answers early, at a token that others never write.
    eos([free[0][0].ids[4], free[1][0].ids[2]])
    answers = HFGenerator(model, encoder).generate(requests, Sampling(max_new_tokens=12))
    lengths = set()
    for request, several in zip(requests, answers, strict=True):
        expected = reference(engine, model, encoder, request.sample, request.order, 12)
        assert len(several) == request.n
        for answer in several:
            assert list(answer.ids) == expected
            lengths.add(len(answer.ids))
            assert answer.finished == (answer.ids[-1] in model.generation_config.eos_token_id)
            assert answer.text == encoder.tokenizer.decode(expected, skip_special_tokens=True)
            prompt = encoder(request.sample, request.order)
            assert (answer.prompt_tokens, answer.frames) == (len(prompt.ids), len(prompt.times))
    assert min(lengths) < 12


def test_an_answer_depends_on_its_request_alone(engine, loaded, eos):
    model, encoder = loaded
    eos(list(range(60)))  # answers end at different steps, so that the batch shrinks
    requests = requests_of(engine)
    sampling = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=12, seed=7)
    together = HFGenerator(model, encoder).generate(requests, sampling)
    alone = [HFGenerator(model, encoder).generate([r], sampling)[0] for r in requests]
    small = HFGenerator(model, encoder, rows=3).generate(requests, sampling)
    back = HFGenerator(model, encoder).generate(requests[::-1], sampling)[::-1]
    assert len({len(a.ids) for g in together for a in g}) > 2
    for other in (alone, small, back):
        for ours, theirs in zip(together, other, strict=True):
            assert [a.ids for a in ours] == [a.ids for a in theirs]
            for a, b in zip(ours, theirs, strict=True):
                assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)


def test_several_answers_differ_and_streams_differ(engine, loaded):
    model, encoder = loaded
    sample = engine.samples[0]
    sampling = Sampling(temperature=1.0, max_new_tokens=8)
    generator = HFGenerator(model, encoder)
    first, other = generator.generate([Request(sample, 6), Request(sample, 6, stream=1)], sampling)
    assert len({a.ids for a in first + other}) == 12
    again = generator.generate([Request(sample, 6)], sampling)[0]
    assert [a.ids for a in again] == [a.ids for a in first]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_are_those_the_trainer_computes(engine, temperature):
    from trl.trainer.utils import add_fused_lm_head

    model = engine.model()
    add_fused_lm_head(model, temperature=temperature, outputs=("log_probs", "entropy"))
    encoder = engine.encoder(model)
    requests = [Request(engine.samples[0], 2), Request(engine.samples[1], 2)]
    sampling = Sampling(temperature=temperature, top_p=0.9, top_k=40, max_new_tokens=10)
    answers = HFGenerator(model, encoder).generate(requests, sampling)
    ids, mask, sampled = padded([a for g in answers for a in g])
    parts = [Part(encoder(r.sample), 2 * i, 2 * i + 2) for i, r in enumerate(requests)]
    with torch.no_grad():
        logps, _ = score_packed(model, parts, ids, mask)
    torch.testing.assert_close(logps, sampled, atol=1e-5, rtol=0)


def test_each_prompt_is_prefilled_once_and_each_video_encoded_once(engine, loaded, shapes):
    model, encoder = loaded
    sample, other = engine.samples[0], engine.samples[2]
    patches = []
    hook = base_of(model).visual.register_forward_pre_hook(
        lambda module, args, kwargs: patches.append(len((args or [kwargs["hidden_states"]])[0])),
        with_kwargs=True,
    )
    sampling = Sampling(temperature=1.0, max_new_tokens=5)
    # The same prompt twice: two requests, one video.
    requests = [Request(sample, 4), Request(other, 4), Request(sample, 4, stream=1)]
    HFGenerator(model, encoder).generate(requests, sampling)
    hook.remove()
    assert shapes == [(3, len(encoder(sample).ids))] + [(12, 1)] * 4
    one = len(encoder(sample).video["pixel_values_videos"])
    assert patches == [2 * one]


def test_finished_rows_leave_the_batch(engine, loaded, eos, shapes, monkeypatch):
    model, encoder = loaded
    eos(list(range(60)))
    requests = [Request(s, 8) for s in engine.samples[:2]]
    sampling = Sampling(temperature=1.0, max_new_tokens=24)
    answers = HFGenerator(model, encoder).generate(requests, sampling)
    rows = [r for r, _ in shapes[1:]]
    lengths = [len(a.ids) for g in answers for a in g]
    assert rows == sorted(rows, reverse=True) and rows[-1] < rows[0] == 16
    assert len(rows) == max(lengths) - 1  # and it stops with the last one
    shapes.clear()
    monkeypatch.setattr(hf, "COMPACT_BELOW", 0.0)
    whole = HFGenerator(model, encoder).generate(requests, sampling)
    assert {r for r, _ in shapes[1:]} == {16}
    assert [[a.ids for a in g] for g in whole] == [[a.ids for a in g] for g in answers]
    assert all(a.finished == (a.ids[-1] < 60) for g in answers for a in g)
    assert all(i >= 60 for g in answers for a in g for i in a.ids[:-1])


def test_vision_tokens_are_never_written(engine, loaded):
    """A video token in an answer would ask the next forward for pixels that are not there."""
    model, encoder = loaded
    forbidden = encoder.forbidden_ids()

    def prefer(module, args, out):
        out[..., forbidden] += 100
        return out

    hook = model.get_output_embeddings().register_forward_hook(prefer)
    for temperature in (0.0, 1.0):
        sampling = Sampling(temperature=temperature, max_new_tokens=6)
        answers = HFGenerator(model, encoder).generate([Request(engine.samples[0], 4)], sampling)
        assert not {i for a in answers[0] for i in a.ids} & set(forbidden)
    hook.remove()


def test_the_model_is_left_as_it_was_found(engine, loaded):
    model, encoder = loaded
    told = []
    model.train()
    generator = HFGenerator(model, encoder, rows=2, progress=told.append)
    generator.generate([Request(s, 2) for s in engine.samples[:3]], Sampling(max_new_tokens=2))
    assert model.training and told == [2, 2, 2]
    model.eval()
    assert all(p.grad is None for p in model.parameters())
    assert HFGenerator(model, encoder).generate([], Sampling()) == []


def test_a_request_for_no_answers_gets_none(engine, loaded, shapes):
    model, encoder = loaded
    a, b = engine.samples[:2]
    answers = HFGenerator(model, encoder).generate(
        [Request(a, 0), Request(b, 2), Request(a, 0)], Sampling(max_new_tokens=2)
    )
    assert [len(g) for g in answers] == [0, 2, 0]
    assert shapes[0] == (1, len(encoder(b).ids))
    assert HFGenerator(model, encoder).generate([Request(a, 0)], Sampling()) == [[]]
