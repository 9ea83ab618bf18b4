"""Drawing a token: the nucleus, the k likeliest, the frequencies and the struck-out tokens."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from reproductions.shared.models import torchvision_cure  # noqa: E402

torchvision_cure.apply()

from transformers import (  # noqa: E402
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from reproductions.shared.inference.engine import Request, Sampling  # noqa: E402
from reproductions.shared.inference.hf import _batches, _draw, _noise  # noqa: E402
from reproductions.shared.method import Sample  # noqa: E402

NOTHING = torch.tensor([], dtype=torch.long)
GRID = torch.linspace(0, 1, 2001, dtype=torch.float64)[:-1]
ALMOST_ONE = torch.nextafter(
    torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
)


def draw(logits, uniform, forbidden=NOTHING, **sampling):
    rows = logits.expand(len(uniform), -1)
    return _draw(rows, uniform, Sampling(**{"temperature": 1.0, **sampling}), forbidden)


@given(
    seed=st.integers(0, 10_000),
    top_k=st.integers(0, 12),
    top_p=st.sampled_from([0.001, 0.3, 0.5, 0.9, 0.95, 1.0]),
    temperature=st.sampled_from([0.2, 1.0, 3.0]),
)
@settings(max_examples=60, deadline=None)
def test_the_tokens_that_can_be_drawn_are_those_of_transformers(seed, top_k, top_p, temperature):
    logits = 2 * torch.randn(8, generator=torch.Generator().manual_seed(seed))
    warpers = LogitsProcessorList([TemperatureLogitsWarper(temperature)])
    if top_k:
        warpers.append(TopKLogitsWarper(top_k))
    if top_p < 1:
        warpers.append(TopPLogitsWarper(top_p))
    expected = warpers(None, logits[None].clone()).softmax(-1)[0]
    uniform = torch.cat([GRID, ALMOST_ONE[None]])
    token, logprob = draw(logits, uniform, temperature=temperature, top_k=top_k, top_p=top_p)
    share = torch.bincount(token, minlength=8) / len(token)
    assert (share[expected == 0] == 0).all()
    torch.testing.assert_close(share.double(), expected.double(), atol=2e-3, rtol=0)
    # The log-probability is that of the policy, before top-k and top-p.
    own = (logits / temperature).log_softmax(-1)
    torch.testing.assert_close(logprob, own[token])


def test_frequencies_follow_the_probabilities():
    probabilities = torch.tensor([0.4, 0.25, 0.15, 0.1, 0.06, 0.03, 0.01])
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    token, _ = draw(probabilities.log(), uniform)
    expected = probabilities * len(uniform)
    statistic = ((torch.bincount(token, minlength=7) - expected) ** 2 / expected).sum()
    assert statistic < 27.9  # chi-square, 6 degrees of freedom, p = 1e-4


def test_greedy_is_the_likeliest_token_that_is_allowed():
    logits = torch.tensor([[1.0, 5.0, 3.0], [2.0, 0.0, 1.0]])
    token, logprob = _draw(logits, None, Sampling(), torch.tensor([1]))
    assert token.tolist() == [2, 0]
    expected = logits.log_softmax(-1)[[0, 1], [2, 0]]
    torch.testing.assert_close(logprob, expected)


@pytest.mark.parametrize(
    "limits", [{}, {"top_k": 1}, {"top_p": 1e-9}, {"top_k": 100, "top_p": 0.5}]
)
def test_a_struck_out_token_is_never_drawn_even_if_it_is_all_but_certain(limits):
    logits = torch.tensor([0.0, 50.0, 1.0, 0.5])
    uniform = torch.cat([GRID, ALMOST_ONE[None]])
    token, logprob = draw(logits, uniform, torch.tensor([1]), **limits)
    assert 1 not in token.tolist()
    assert (logprob < -40).all()  # its own, not that of the rest
    assert (token == 2).any()
    if limits.get("top_k") == 1 or ("top_p" in limits and "top_k" not in limits):
        assert (token == 2).all()


def test_the_end_of_the_unit_interval_stays_inside_the_nucleus():
    logits = torch.tensor([0.5, 0.25, 0.125, 0.125]).log()
    token, _ = draw(logits, ALMOST_ONE.expand(1), top_k=1)
    assert token.item() == 0
    token, _ = draw(logits, torch.zeros(1, dtype=torch.float64))
    assert token.item() == 0


@pytest.mark.parametrize(
    "bad",
    [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.1}, {"top_k": -1}, {"max_new_tokens": 0}],
)
def test_impossible_sampling_is_refused(bad):
    with pytest.raises(ValueError, match=r"needed|at least 1"):
        Sampling(**bad)


def request(name, n=1, **extra):
    return Request(Sample(id=name, question="?", answer=""), n, **extra)


def test_random_numbers_belong_to_the_request():
    sampling = Sampling(temperature=1.0, max_new_tokens=4, seed=3)
    a, b = request("a", 2), request("b", 3)
    both = _noise([a, b], sampling, 4)
    assert both.shape == (5, 4) and both.dtype == torch.float64
    assert torch.equal(both, torch.cat([_noise([a], sampling, 4), _noise([b], sampling, 4)]))
    assert len(set(both[:, 0].tolist())) == 5
    others = [
        _noise([request("a", 2, stream=1)], sampling, 4),
        _noise([request("a", 2, order=(1, 0))], sampling, 4),
        _noise([request("a", 2, prefix="<think>")], sampling, 4),
        _noise([a], Sampling(temperature=1.0, max_new_tokens=4, seed=4), 4),
    ]
    assert all(not torch.equal(o, both[:2]) for o in others)
    # A prefix of the answers is the same when more are asked for.
    assert torch.equal(_noise([request("a", 5)], sampling, 4)[:2], both[:2])


@given(sizes=st.lists(st.integers(1, 9), max_size=20), rows=st.integers(1, 12))
def test_batches_keep_order_and_size(sizes, rows):
    requests = [request(str(i), n) for i, n in enumerate(sizes)]
    batches = _batches(requests, rows)
    assert [r for b in batches for r in b] == requests
    for batch in batches:
        assert len(batch) == 1 or sum(r.n for r in batch) <= rows
    least = math.ceil(sum(min(s, rows) for s in sizes) / rows)
    assert len(batches) >= least
