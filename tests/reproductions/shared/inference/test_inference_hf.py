"""Answers of the transformers generator: the same tokens as `generate`, whatever the batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_fixtures import padded, text_only

torch = pytest.importorskip("torch")

from reproductions.shared.inference import hf  # noqa: E402
from reproductions.shared.inference.engine import (  # noqa: E402
    Message,
    Request,
    Sampling,
    Shown,
)
from reproductions.shared.inference.hf import HFGenerator  # noqa: E402
from reproductions.shared.models import attention  # noqa: E402
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


def test_a_prompt_that_comes_up_again_between_others_is_answered_alike(engine, loaded, eos):
    model, encoder = loaded
    generator = HFGenerator(model, encoder)
    a, b = engine.samples[:2]
    hot = Sampling(temperature=1.0, max_new_tokens=8)
    mixed = [
        Request(a),
        Request(b),
        Request(a, stream=1),
        Request(b, 2, stream=3),
        Request(a, 2, stream=2),
    ]
    answers = generator.generate(mixed, hot)
    for request, together in zip(mixed, answers, strict=True):
        (alone,) = generator.generate([request], hot)
        assert [x.ids for x in together] == [x.ids for x in alone]
        for x, y in zip(together, alone, strict=True):
            assert x.logprobs == pytest.approx(y.logprobs, abs=1e-5)


def test_answers_that_share_the_keys_of_their_prompt_are_those_that_copy_them(
    engine, loaded, eos, monkeypatch
):
    """Where attention is not ours ("eager"), each answer gets a copy of the prompt's keys."""
    model, encoder = loaded
    copying = engine.model(fused=True, attention="eager")
    ends = list(range(40))
    eos(ends)  # answers end at different steps, so that the batch shrinks
    monkeypatch.setattr(attention, "ROOM", 8)  # and the room for keys grows
    copying.generation_config.eos_token_id = ends
    requests = requests_of(engine)
    sampling = Sampling(temperature=1.0, max_new_tokens=24, seed=3)
    shared = HFGenerator(model, encoder).generate(requests, sampling)
    copied = HFGenerator(copying, encoder).generate(requests, sampling)
    assert len({len(a.ids) for g in shared for a in g}) > 2
    for ours, theirs in zip(shared, copied, strict=True):
        assert [a.ids for a in ours] == [a.ids for a in theirs]
        for a, b in zip(ours, theirs, strict=True):
            assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)


def test_the_keys_of_a_prompt_are_kept_once(engine, loaded):
    """Memory and traffic of a rollout grow with P + G R, not with G (P + R)."""
    model, encoder = loaded
    prompt = encoder(engine.samples[0])
    with torch.inference_mode():
        cache, _, _ = HFGenerator(model, encoder)._prefill([(len(prompt.ids), [prompt])])
        cache.expand(torch.zeros(16, dtype=torch.long), [0])
        for step in range(3):
            at = torch.full((3, 16, 1), prompt.next_position + step)
            model(
                input_ids=torch.ones(16, 1, dtype=torch.long),
                position_ids=at,
                past_key_values=cache,
                use_cache=True,
            )
    assert cache.get_seq_length() == len(prompt.ids) + 3
    for layer in cache.layers:
        assert layer.keys.shape[0] == 1 and layer.keys.shape[2] == len(prompt.ids)
        assert layer.own[0].shape[0] == 16 and layer.own[0].shape[2] == attention.ROOM


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


def test_each_prompt_is_prefilled_once_and_each_video_encoded_once(
    engine, loaded, shapes, monkeypatch
):
    monkeypatch.setattr(hf, "COMMON_SHARE", 2.0)  # nothing less than whole prompts is shared
    model, encoder = loaded
    sample, other = engine.samples[0], engine.samples[2]
    again = replace(sample, question="What is red?")
    patches = []
    hook = base_of(model).visual.register_forward_pre_hook(
        lambda module, args, kwargs: patches.append(len((args or [kwargs["hidden_states"]])[0])),
        with_kwargs=True,
    )
    sampling = Sampling(temperature=1.0, max_new_tokens=5)
    # The same prompt twice, and another question about the same video.
    requests = [Request(s, 3) for s in (sample, other, again)] + [Request(sample, 3, stream=1)]
    HFGenerator(model, encoder).generate(requests, sampling)
    hook.remove()
    longest = max(len(encoder(r.sample).ids) for r in requests)
    assert shapes == [(3, longest)] + [(12, 1)] * 4
    one = len(encoder(sample).video["pixel_values_videos"])
    assert patches == [2 * one]


def ask(sample, text):
    """A question of any length about the sample's video."""
    return Request(sample, messages=(Message("user", text, Shown()),))


def alike(engine):
    """Three questions about each of two videos, and prompts that go on from another one."""
    a, b, c = engine.samples[:3]
    texts = ("What is red?", "Is the red circle left of the blue one? Think.", "How many?")
    talk = (*ask(a, texts[2]).messages, Message("assistant", "Two."), Message("user", "Sure?"))
    several = [ask(s, text) for s in (a, b) for text in texts]
    return [
        *several,
        replace(several[0], prefix="<think> It is"),
        Request(a, messages=talk),
        Request(c),
        Request(a, 1, SHUFFLED),
        *(Request(text_only(s)) for s in (a, b)),
    ]


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_beginning_that_is_shared_changes_no_answer(
    engine, loaded, eos, shapes, monkeypatch, n, temperature
):
    model, encoder = loaded
    eos(list(range(40)))  # answers end at different steps, so that the batch shrinks
    sampling = Sampling(temperature=temperature, max_new_tokens=12, seed=5)
    requests = [replace(r, n=n if i % 5 else 2) for i, r in enumerate(alike(engine))]
    requests = [requests[i] for i in (7, 2, 9, 0, 4, 11, 3, 8, 1, 10, 6, 5)]
    monkeypatch.setattr(hf, "COMMON_SHARE", 0.2)  # these videos are as short as the questions
    monkeypatch.setattr(hf, "COMMON_TOKENS", 1)
    together = HFGenerator(model, encoder).generate(requests, sampling)
    # Two videos, two other views and two texts, which begin alike in one of the tokenizers.
    assert shapes[0][0] in (5, 6) and shapes[1][0] == len(requests)
    monkeypatch.setattr(attention, "WASTE", 0)  # prompts one by one
    singly = HFGenerator(model, encoder).generate(requests, sampling)
    monkeypatch.setattr(hf, "COMMON_SHARE", 2.0)  # nothing is shared
    apart = HFGenerator(model, encoder).generate(requests, sampling)
    assert len({len(a.ids) for g in apart for a in g}) > 2
    for other in (together, singly):
        for ours, theirs in zip(other, apart, strict=True):
            assert [replace(a, logprobs=()) for a in ours] == [
                replace(a, logprobs=()) for a in theirs
            ]
            for a, b in zip(ours, theirs, strict=True):
                assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)


def test_a_common_beginning_is_prefilled_once(engine, loaded, shapes, monkeypatch):
    monkeypatch.setattr(hf, "COMMON_TOKENS", 1)
    model, encoder = loaded
    a, b = engine.samples[:2]
    requests = [ask(s, f"{'Well, ' * i}what?") for i in range(3) for s in (a, b)]
    HFGenerator(model, encoder).generate(requests, Sampling(max_new_tokens=2))
    prompts = [encoder(r.sample, messages=r.messages) for r in requests[::2]]
    shortest, *_, longest = sorted(len(p.ids) for p in prompts)
    visual = (prompts[0].ids == encoder.processor.video_token_id).nonzero().max()
    (videos, begin), (rows, rest), token = shapes
    assert (videos, rows, token) == (2, 6, (6, 1))
    assert begin + rest == longest and visual < begin < shortest
    assert all((p.ids[:begin] == prompts[0].ids[:begin]).all() for p in prompts)
    assert len({int(p.ids[begin]) for p in prompts}) > 1  # and not a token later


def test_what_differs_early_or_before_a_video_is_not_shared(engine, loaded, shapes, monkeypatch):
    """Each prompt is then prefilled whole, in one call; so it is where little is common."""
    model, encoder = loaded
    a, b = engine.samples[:2]
    film = Message("user", "What?", Shown())
    greet = [(Message("user", text), Message("assistant", "Yes."), film) for text in ("A", "B")]
    again = [(film, Message("assistant", text), film) for text in ("One.", "Two.")]
    for batch, share, tokens in (
        ([Request(a), Request(b)], 0, 1),
        ([Request(a), Request(a, 1, SHUFFLED)], 0, 1),
        ([Request(a, messages=m) for m in greet], 0, 1),
        ([Request(a, messages=m) for m in again], 0, 1),
        ([Request(text_only(a)), Request(a)], 0, 1),
        ([ask(a, "What is it? " + 100 * word) for word in ("red ", "blue ")], 0.5, 1),
        ([ask(a, "One?"), ask(a, "Two?")], 0, 1000),
    ):
        monkeypatch.setattr(hf, "COMMON_SHARE", share)
        monkeypatch.setattr(hf, "COMMON_TOKENS", tokens)
        shapes.clear()
        HFGenerator(model, encoder).generate(batch, Sampling(max_new_tokens=2))
        longest = max(len(encoder(r.sample, r.order, r.messages).ids) for r in batch)
        assert shapes == [(2, longest), (2, 1)]


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


def test_an_answer_goes_on_from_its_prefix(engine, loaded):
    """Greedy: the rest of an answer follows from its beginning; it is not repeated."""
    model, encoder = loaded
    generator = HFGenerator(model, encoder)
    sample = engine.samples[0]
    (whole,) = generator.generate([Request(sample)], Sampling(max_new_tokens=12))[0]
    for cut in range(1, 12):
        begun = encoder.tokenizer.decode(list(whole.ids[:cut]))
        split = encoder.tokenizer(begun, add_special_tokens=False)["input_ids"]
        if split == list(whole.ids[:cut]):  # else the text is cut into other tokens
            (rest,) = generator.generate(
                [Request(sample, prefix=begun)], Sampling(max_new_tokens=12 - cut)
            )[0]
            assert rest.ids == whole.ids[cut:]
            assert rest.prompt_tokens == whole.prompt_tokens + cut
            return
    pytest.fail("no beginning of the answer keeps its tokens")


def test_an_answer_ends_before_a_stop_text(engine, loaded):
    model, encoder = loaded
    generator = HFGenerator(model, encoder)
    request = Request(engine.samples[0], 3)
    hot = {"temperature": 1.0, "max_new_tokens": 16}
    for answer in generator.generate([request], Sampling(**hot))[0]:
        stop = answer.text[5:8]
        again = generator.generate([request], Sampling(**hot, stop=("never", stop)))[0]
        (same,) = [a for a in again if answer.ids[: len(a.ids)] == a.ids]
        assert same.text == answer.text[: answer.text.index(stop)]
        assert same.finished and len(same.ids) < len(answer.ids)


def test_choices_leave_nothing_else(engine, loaded, eos):
    model, encoder = loaded
    generator = HFGenerator(model, encoder)
    requests = [Request(s, 8) for s in engine.samples[:2]]
    choices = ("yes", "no", "red", "red and blue", "1", "10")
    hot = Sampling(temperature=1.0, max_new_tokens=1, choices=choices)
    answers = [a for group in generator.generate(requests, hot) for a in group]
    assert {a.text for a in answers} <= set(choices) and len({a.text for a in answers}) > 1
    assert all(a.finished for a in answers)
    # Log-probabilities are the model's own: not 0 where one choice alone is left.
    (one,) = generator.generate(requests[:1], Sampling(choices=("red and blue",)))[:1]
    assert one[0].text == "red and blue" and max(one[0].logprobs) < -0.1
    ids = encoder.tokenizer("red and blue", add_special_tokens=False)["input_ids"]
    assert list(one[0].ids) == ids
    prompt = encoder(engine.samples[0])
    full = torch.cat([prompt.ids, torch.tensor(ids)])
    positions = torch.arange(len(ids)).expand(3, -1) + prompt.next_position
    with torch.no_grad():
        logits = model(
            input_ids=full[None],
            position_ids=torch.cat([prompt.positions, positions], 1)[:, None],
            **prompt.video,
        ).logits[0]
    exact = logits[len(prompt.ids) - 1 : -1].log_softmax(-1)
    wanted = [exact[i, t].item() for i, t in enumerate(ids)]
    assert list(one[0].logprobs) == pytest.approx(wanted, abs=1e-4)


def test_a_conversation_shows_two_parts(engine, loaded):
    """Two views in one prompt, next to other prompts: the same tokens as alone."""
    model, encoder = loaded
    encoder = engine.encoder(model)
    from reproductions.shared.models.show import reader
    from reproductions.shared.video.decode import probe, read_frames

    encoder.read = reader(engine.spec, read_frames, probe)
    a, b = engine.samples[:2]
    talk = (
        Message("user", "First.", Shown(span=(0.0, 3.0), frames=4)),
        Message("assistant", "I see."),
        Message("user", "Now?", Shown(times=(5.0, 6.0))),
    )
    generator = HFGenerator(model, encoder)
    requests = [Request(b), Request(a, messages=talk), Request(a), Request(text_only(a))]
    sampling = Sampling(max_new_tokens=8)
    side_by_side = generator.generate(requests, sampling)
    assert [g[0].frames for g in side_by_side] == [8, 6, 8, 0]
    for request, group in zip(requests, side_by_side, strict=True):
        (alone,) = generator.generate([request], sampling)
        assert alone[0].ids == group[0].ids
