"""Attention of groups equals one softmax over the keys that a token may see."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")

from reproductions.shared.models import torchvision_cure  # noqa: E402

torchvision_cure.apply()

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch.nn.attention import flex_attention  # noqa: E402
from transformers import Qwen2Config  # noqa: E402
from transformers.integrations import flex_attention as wrapper  # noqa: E402

from reproductions.shared.models import attention  # noqa: E402
from reproductions.shared.models.attention import dense_mask, layout_of, packed_sdpa  # noqa: E402


class Layer(torch.nn.Module):
    """What transformers asks of an attention layer."""

    is_causal = True

    def __init__(self, groups):
        super().__init__()
        self.num_key_value_groups = groups


def segments(rows):
    """int64 [B, L] from (prompt tokens, tokens of each answer) a row, padded at the end."""
    lines = [
        [0] * p + [g for g, n in enumerate(answers, start=1) for _ in range(n)]
        for p, answers in rows
    ]
    longest = max(map(len, lines))
    return torch.tensor([line + [-1] * (longest - len(line)) for line in lines])


def tensors(segment, heads, shared, size, dtype=torch.float64, seed=0):
    """Query [B, heads, L, size], key and value with heads / shared heads, as the models' layers do:

    a view into [B, L, heads, size].
    """
    generator = torch.Generator().manual_seed(seed)
    batch, length = segment.shape
    return [
        torch.randn(batch, length, h, size, generator=generator, dtype=torch.float64)
        .to(dtype)
        .transpose(1, 2)
        .requires_grad_()
        for h in (heads, heads // shared, heads // shared)
    ]


def softmax(query, key, value, segment):
    """The definition: one softmax over what a token may see."""
    shared = query.shape[1] // key.shape[1]
    key, value = (t.repeat_interleave(shared, dim=1) for t in (key, value))
    length = segment.shape[1]
    sees = torch.zeros(len(segment), length, length, dtype=torch.bool)
    for b, row in enumerate(segment.tolist()):
        for i, own in enumerate(row):
            for j in range(i + 1):
                sees[b, i, j] = row[j] == own or (row[j] == 0 and own > 0)
    scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
    scores = scores.masked_fill(~sees.unsqueeze(1), float("-inf"))
    return (scores.softmax(-1) @ value).transpose(1, 2)


def both(rows, heads=2, shared=1, size=8, dtype=torch.float64):
    """Outputs and gradients of `packed_sdpa` and of the definition, on what is no padding."""
    segment = segments(rows)
    keep = (segment >= 0).unsqueeze(-1).unsqueeze(-1)
    results = []
    for function in ("ours", "definition"):
        inputs = tensors(segment, heads, shared, size, dtype)
        if function == "ours":
            out, _ = packed_sdpa(Layer(shared), *inputs, layout_of(segment))
        else:
            out = softmax(*(t.double() for t in inputs), segment)
        out = out.masked_fill(~keep, 0)
        weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out)
        (out * weights).sum().backward()
        results.append([out.detach().double()] + [t.grad.double() for t in inputs])
    return results


def check(rows, tolerance=1e-12, **kwargs):
    for ours, expected in zip(*both(rows, **kwargs), strict=True):
        assert (ours - expected).norm() <= tolerance * (1 + expected.norm())


@settings(deadline=None, max_examples=25)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 40), st.lists(st.integers(0, 40), min_size=1, max_size=5)).filter(
            lambda row: row[0] + sum(row[1]) > 0
        ),
        min_size=1,
        max_size=3,
    ),
    shared=st.sampled_from([1, 2, 4]),
    size=st.sampled_from([1, 5, 8, 20]),
)
def test_any_prompts_and_answers(rows, shared, size):
    """Empty prompts, answers of no or one token, none, one, rows of unequal length and number."""
    check(rows, heads=4, shared=shared, size=size)


@pytest.mark.parametrize("size", [16, 64, 80, 96, 127, 128])
def test_head_sizes_of_published_models(size):
    check([(130, [70, 1, 33]), (1, [5])], size=size, shared=2)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2), (torch.float16, 3e-3)]
)
def test_precision(dtype, tolerance):
    check([(100, [40, 7]), (50, [1])], tolerance, dtype=dtype, size=64, shared=2)


def test_gradients_by_finite_differences():
    segment = segments([(3, [2, 1])])
    inputs = tensors(segment, 2, 2, 4)
    layout = layout_of(segment)
    assert torch.autograd.gradcheck(lambda *t: packed_sdpa(Layer(2), *t, layout)[0], inputs)


def test_a_gradient_of_any_strides():
    segment = segments([(6, [3, 2])])
    layout = layout_of(segment)
    grads = []
    for seed in ("expanded", "contiguous"):
        inputs = tensors(segment, 2, 1, 8)
        out, _ = packed_sdpa(Layer(1), *inputs, layout)
        one = torch.ones((), dtype=out.dtype).expand(out.shape)
        out.backward(one if seed == "expanded" else one.contiguous())
        grads.append([t.grad for t in inputs])
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("way", ["dense", "flex"])
@pytest.mark.parametrize("shared", [1, 2])
def test_ways_of_other_devices(way, shared, monkeypatch):
    """A mask where the fused kernels are missing; blocks where flex attention is fast."""
    monkeypatch.setattr(attention, "FUSED", ())
    if way == "flex":
        monkeypatch.setattr(attention, "FLEX", ("cpu",))
        # On a CPU flex attention has a backward only when it is not compiled, and denies that too.
        monkeypatch.setattr(flex_attention, "_validate_device", lambda *args: None)
        monkeypatch.setattr(
            wrapper,
            "compile_friendly_flex_attention",
            lambda *args, training=False, **kwargs: flex_attention.flex_attention(*args, **kwargs),
        )
    check([(20, [4, 1, 7]), (9, [3])], shared=shared, size=16)


def test_a_mask_of_blocks_is_made_once():
    layout = layout_of(segments([(20, [4, 1])]))
    assert attention._blocks(layout, 25) is attention._blocks(layout, 25)


def test_layout_and_mask():
    segment = segments([(2, [1, 2]), (1, [3])])
    layout = layout_of(segment)
    assert layout.tolist() == [[[[2, 3, 5]]], [[[1, 4, 4]]]]
    mask = dense_mask(layout, 5)[0, 0].int().tolist()
    assert mask == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [1, 1, 0, 1, 1],
    ]


def test_ordinary_masks_are_left_to_transformers():
    segment = segments([(5, [])])
    query, key, value = tensors(segment, 2, 1, 8)
    mask = torch.ones(5, 5, dtype=torch.bool).tril().view(1, 1, 5, 5)
    for given_mask in (mask, None):
        out, _ = packed_sdpa(Layer(1), query, key, value, given_mask)
        torch.testing.assert_close(out, softmax(query, key, value, segment))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shared", [1, 4])
@pytest.mark.parametrize(
    ("counts", "lengths"), [((3, 1, 2), (5, 7, 4)), ((2, 2), (6, 6)), ((3,), (2,))]
)
def test_one_more_token_over_a_shared_prompt(counts, lengths, shared, dtype, monkeypatch):
    """`PrefixCache`: prompts padded at the left, rows and prompts that leave, room that grows."""
    monkeypatch.setattr(attention, "ROOM", 3)
    longest, steps, size = max(lengths), 6, 8
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    config = Qwen2Config(num_hidden_layers=1, attn_implementation="sdpa")
    assert attention.PrefixCache.fits(config)
    cache = attention.PrefixCache(config)
    prompt = [draw(len(counts), 4 // shared, longest, size) for _ in range(2)]
    cache.update(*prompt, 0)
    owner = torch.tensor([i for i, n in enumerate(counts) for _ in range(n)])
    cache.expand(owner, [longest - n for n in lengths])
    alive = torch.arange(len(owner))
    own = [draw(len(owner), 4 // shared, 0, size) for _ in range(2)]
    for step in range(steps):
        if step in (0, 5):  # the first row leaves, then all but the last one
            keep = torch.arange(1, len(alive)) if step == 0 else torch.tensor([len(alive) - 1])
            cache.batch_select_indices(keep)
            alive, own = alive[keep], [t[keep] for t in own]
            assert len(cache.layers[0].keys) == len(owner[alive].unique())
        new = [draw(len(alive), 4 // shared, 1, size) for _ in range(2)]
        own = [torch.cat([t, n], dim=2) for t, n in zip(own, new, strict=True)]
        query = draw(len(alive), 4, 1, size)
        key, value = cache.update(*new, 0)
        out, _ = packed_sdpa(Layer(shared), query, key, value, None)
        for row, answer in enumerate(alive.tolist()):
            i = int(owner[answer])
            keys, values = (
                torch.cat([p[i : i + 1, :, longest - lengths[i] :], o[row : row + 1]], dim=2)
                .double()
                .repeat_interleave(shared, dim=1)
                for p, o in zip(prompt, own, strict=True)
            )
            scores = query[row : row + 1].double() @ keys.transpose(2, 3) * size**-0.5
            expected = (scores.softmax(-1) @ values).transpose(1, 2)
            tolerance = 3e-2 if dtype == torch.bfloat16 else 1e-6  # softmax in float32
            torch.testing.assert_close(
                out[row : row + 1].double(), expected, atol=tolerance, rtol=tolerance
            )
    assert cache.get_seq_length() == longest + steps


@pytest.mark.parametrize("waste", [0, attention.WASTE])
@pytest.mark.parametrize("shared", [1, 4])
@pytest.mark.parametrize("rests", [(2, 5, 1, 3), (70, 70, 70, 70)])
def test_rests_of_prompts_that_begin_alike(rests, shared, waste, monkeypatch):
    """`PrefixCache`: rests padded at the left and run at once, then answers to each of them."""
    monkeypatch.setattr(attention, "WASTE", waste)
    begins, owner, answers, size = (6, 9), torch.tensor([0, 0, 0, 1]), (2, 1, 1, 3), 8
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def expected(query, i, keys):
        """Of the last token of a prompt, over its family's beginning and its own keys."""
        f = int(owner[i])
        keys, values = (
            torch.cat([b[f, :, max(begins) - begins[f] :], own], dim=1).repeat_interleave(shared, 0)
            for b, own in zip(begin, keys, strict=True)
        )
        return ((query @ keys.mT * size**-0.5).softmax(-1) @ values).transpose(0, 1)

    close = partial(torch.testing.assert_close, atol=1e-6, rtol=1e-6)  # softmax in float32
    cache = attention.PrefixCache(Qwen2Config(num_hidden_layers=1, attn_implementation="sdpa"))
    begin = [draw(2, 4 // shared, max(begins), size) for _ in range(2)]
    cache.update(*begin, 0)
    cache.expand(owner, [max(begins) - n for n in begins])
    longest = max(rests)
    real = torch.arange(longest) >= longest - torch.tensor(rests).unsqueeze(1)
    sees = real[:, None, None].expand(-1, 1, longest, -1).tril() | torch.eye(longest).bool()
    own = [draw(4, 4 // shared, longest, size) for _ in range(2)]
    query = draw(4, 4, longest, size)
    out, _ = packed_sdpa(Layer(shared), query, *cache.update(*own, 0), sees)
    assert out.isfinite().all()  # also of padding, whose values are weighed with zero
    for i, n in enumerate(rests):
        for at in range(longest - n, longest):
            seen = [t[i, :, longest - n : at + 1] for t in own]
            close(out[i, at : at + 1], expected(query[i, :, [at]], i, seen))
    rows = torch.arange(4).repeat_interleave(torch.tensor(answers))
    cache.batch_select_indices(rows)
    new = [draw(len(rows), 4 // shared, 1, size) for _ in range(2)]
    query = draw(len(rows), 4, 1, size)
    sees = torch.cat([real[rows], torch.ones(len(rows), 1, dtype=torch.bool)], 1)[:, None, None]
    out, _ = packed_sdpa(Layer(shared), query, *cache.update(*new, 0), sees)
    for row, i in enumerate(rows.tolist()):
        seen = [
            torch.cat([o[i, :, longest - rests[i] :], t[row]], dim=1)
            for o, t in zip(own, new, strict=True)
        ]
        close(out[row], expected(query[row], i, seen))
    assert cache.layers[0].keys.shape[0] == 2
    assert cache.get_seq_length() == max(begins) + longest + 1


def test_answers_to_a_prompt_stand_side_by_side():
    with pytest.raises(ValueError, match="must ascend"):
        attention.Sharing.of(torch.tensor([0, 1, 0]), torch.tensor([0, 0]), 4)


def test_caches_of_other_attention_are_left_to_transformers():
    sliding = Qwen2Config(
        num_hidden_layers=2, use_sliding_window=True, max_window_layers=1, sliding_window=4,
        attn_implementation="sdpa",
    )  # fmt: skip
    assert not attention.PrefixCache.fits(sliding)
    eager = Qwen2Config(num_hidden_layers=1, attn_implementation="eager")
    assert not attention.PrefixCache.fits(eager)


def test_pairwise_ends_cover_the_row():
    """Each token belongs to exactly one part."""
    (ends,) = layout_of(segments([(4, [2, 0, 3])]))[:, 0, 0].tolist()
    assert [b - a for a, b in pairwise([0, *ends])] == [4, 2, 0, 3]
