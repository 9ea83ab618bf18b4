"""The shared-prefix forward gives the numbers and gradients of plain, separate forwards."""

from __future__ import annotations

import pytest
from engine_fixtures import text_only

torch = pytest.importorskip("torch")

from reproductions.shared.models import torchvision_cure  # noqa: E402

torchvision_cure.apply()

from transformers import AutoConfig  # noqa: E402
from trl.trainer.utils import add_fused_lm_head  # noqa: E402

from reproductions.shared.models.encode import base_of  # noqa: E402
from reproductions.shared.training.forward import Part, score_packed, score_rows  # noqa: E402

SHUFFLED = (5, 2, 7, 0, 3, 6, 1, 4)
ANSWERS = 3


@pytest.fixture(scope="module", params=["sdpa", "eager"])
def loaded(request, engine):
    """With two calls over blocks ("sdpa"), and with a mask over the whole row ("eager")."""
    model = engine.model(fused=True, attention=request.param)
    return model, engine.encoder(model)


@pytest.fixture(scope="module")
def batch(engine, loaded):
    """Two videos with prompts of unequal length, a text, and a shuffled twin of the first.

    Answers have unequal lengths; the first of each part is one token long.
    """
    _, encoder = loaded
    short, long = engine.samples[:2]
    prompts = [encoder(short), encoder(long), encoder(text_only(long)), encoder(short, SHUFFLED)]
    assert len({len(p.ids) for p in prompts}) == 3
    parts = [Part(p, ANSWERS * i, ANSWERS * (i + 1)) for i, p in enumerate(prompts)]
    generator = torch.Generator().manual_seed(0)
    lengths = [1, 9, 4] * len(prompts)
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, n in enumerate(lengths):
        ids[row, :n] = torch.randint(10, 250, (n,), generator=generator)
        mask[row, :n] = 1
    return parts, ids, mask


def naive(model, parts, ids, mask):
    """One ordinary forward of transformers an answer, the video with it each time."""
    logps = []
    for part in parts:
        for row in range(part.start, part.stop):
            answer = ids[row, : int(mask[row].sum())]
            prompt = part.prompt
            at = torch.arange(len(answer)).expand(3, -1) + prompt.next_position
            out = model(
                input_ids=torch.cat([prompt.ids, answer]).unsqueeze(0),
                position_ids=torch.cat([prompt.positions, at], dim=1).unsqueeze(1),
                **prompt.video,
            )
            scores = out.logits[0, len(prompt.ids) - 1 : -1].float().log_softmax(-1)
            line = scores.gather(-1, answer.unsqueeze(-1)).squeeze(-1)
            padding = line.new_zeros(ids.shape[1] - len(answer))
            logps.append(torch.cat([line, padding]))
    return torch.stack(logps)


def gradients(model, logps, mask):
    """Gradient of a weighted sum that treats no two tokens alike."""
    weights = torch.linspace(-1, 1, mask.numel()).view_as(mask) * mask
    model.zero_grad(set_to_none=True)
    (logps * weights).sum().backward()
    return {k: p.grad.clone() for k, p in model.named_parameters() if p.grad is not None}


def test_rows_packed_and_plain_forward_agree(loaded, batch):
    model, _ = loaded
    parts, ids, mask = batch
    with torch.no_grad():
        plain = naive(model, parts, ids, mask)
        rows, row_entropy = score_rows(model, parts, ids, mask)
        packed, packed_entropy = score_packed(model, parts, ids, mask)
    keep = mask.bool()
    torch.testing.assert_close(rows[keep], plain[keep], atol=1e-5, rtol=0)
    torch.testing.assert_close(packed[keep], plain[keep], atol=1e-5, rtol=0)
    torch.testing.assert_close(packed_entropy[keep], row_entropy[keep], atol=1e-5, rtol=0)
    assert (packed[~keep] == 0).all() and (rows[~keep] == 0).all()
    # The batch tells videos and views apart: the same answer scores differently on each.
    same = ids.clone()
    same[:] = ids[1]
    with torch.no_grad():
        scores, _ = score_packed(model, parts, same, torch.ones_like(mask))
    firsts = scores[::ANSWERS].sum(1)
    assert len({round(v, 3) for v in firsts.tolist()}) == len(parts)


def test_gradients_of_every_parameter_agree(loaded, batch):
    model, _ = loaded
    parts, ids, mask = batch
    plain = gradients(model, naive(model, parts, ids, mask), mask)
    assert set(plain) == {k for k, _ in model.named_parameters()}
    for score in (score_rows, score_packed):
        ours = gradients(model, score(model, parts, ids, mask)[0], mask)
        assert set(ours) == set(plain)
        for name, expected in plain.items():
            error = (ours[name] - expected).norm() / expected.norm()
            assert expected.norm() > 0 and error < 1e-5, f"{score.__name__} {name}: {error:.1e}"
    model.zero_grad(set_to_none=True)


def test_grouped_query_attention(engine, loaded, batch):
    """The published models share key-value heads among query heads; the small ones do not."""
    model, _ = loaded
    config = AutoConfig.from_pretrained(engine.checkpoint)
    config.text_config.num_key_value_heads = 1
    config.text_config._attn_implementation = model.config.text_config._attn_implementation
    grouped = type(model)(config).eval()
    add_fused_lm_head(grouped, outputs=("log_probs", "entropy"))
    parts, ids, mask = batch
    with torch.no_grad():
        plain = naive(grouped, parts, ids, mask)
        packed, _ = score_packed(grouped, parts, ids, mask)
    torch.testing.assert_close(packed * mask, plain * mask, atol=1e-5, rtol=0)


def test_gradient_checkpointing_changes_nothing(loaded, batch):
    model, _ = loaded
    parts, ids, mask = batch
    plain = gradients(model, score_packed(model, parts, ids, mask)[0], mask)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    again = gradients(model, score_packed(model, parts, ids, mask)[0], mask)
    model.gradient_checkpointing_disable()
    model.eval()
    model.zero_grad(set_to_none=True)
    for name, expected in plain.items():
        assert (again[name] - expected).norm() < 1e-6 * expected.norm(), name


@pytest.mark.parametrize("score", [score_rows, score_packed])
def test_bfloat16_stays_close(loaded, batch, score):
    model, _ = loaded
    parts, ids, mask = batch
    with torch.no_grad():
        whole, _ = score(model, parts, ids, mask)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half, _ = score(model, parts, ids, mask)
    assert ((half - whole) * mask).abs().max() < 0.1


def test_one_vision_pass_over_each_distinct_video(loaded, batch):
    model, _ = loaded
    parts, ids, mask = batch
    patches = []
    hook = base_of(model).visual.register_forward_pre_hook(
        lambda module, args, kwargs: patches.append(len((args or [kwargs["hidden_states"]])[0])),
        with_kwargs=True,
    )
    expected = sum(len(p.prompt.video["pixel_values_videos"]) for p in parts if p.prompt.video)
    with torch.no_grad():
        for score in (score_rows, score_packed):
            patches.clear()
            score(model, parts, ids, mask)
            assert patches == [expected], score.__name__
    hook.remove()


def test_a_text_only_batch_makes_no_vision_pass(engine, loaded):
    model, encoder = loaded
    parts = [Part(encoder(text_only(engine.samples[0])), 0, 2)]
    ids = torch.tensor([[30, 31], [32, 0]])
    mask = torch.tensor([[1, 1], [1, 0]])
    with torch.no_grad():
        plain = naive(model, parts, ids, mask)
        for score in (score_rows, score_packed):
            assert torch.allclose(score(model, parts, ids, mask)[0], plain * mask, atol=1e-5)


def test_an_answer_does_not_see_its_neighbours(loaded, batch):
    model, _ = loaded
    parts, ids, mask = batch
    changed = ids.clone()
    changed[0, 0] = 20  # the first answer of the first part, one token long
    changed[2] = changed[2].flip(0)
    with torch.no_grad():
        before, _ = score_packed(model, parts, ids, mask)
        after, _ = score_packed(model, parts, changed, mask)
    torch.testing.assert_close(after[1], before[1], atol=1e-6, rtol=0)
    torch.testing.assert_close(after[3:], before[3:], atol=1e-6, rtol=0)
    assert (after[0, 0] - before[0, 0]).abs() > 1e-3


def test_an_answer_that_is_masked_out_counts_for_nothing(loaded, batch):
    """`mask_truncated_completions` empties whole rows."""
    model, _ = loaded
    parts, ids, mask = batch
    emptied = mask.clone()
    emptied[1] = 0
    with torch.no_grad():
        whole, _ = score_packed(model, parts, ids, mask)
        less, _ = score_packed(model, parts, ids, emptied)
    assert (less[1] == 0).all()
    keep = torch.arange(len(ids)) != 1
    torch.testing.assert_close(less[keep], whole[keep], atol=1e-5, rtol=0)
