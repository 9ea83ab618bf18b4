"""What the hooks `token_weights` and `loss` see of a GRPO batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from reproductions.shared.method import Context


@dataclass
class Vocabulary:
    """Log-probabilities of all tokens, where those of the sampled ones are not enough.

    A batch of 8 answers of 4,096 tokens over 152,000 words would be 20 GB, so places are computed
    when they are asked for, from the hidden states of the loss's own forward.

    Attributes:
        states: Hidden states from which the answers' tokens were predicted, float [N, T, D].
        head: The model's output layer.
        temperature: What logits are divided by, as in `Tokens.logps`.
    """

    states: torch.Tensor
    head: torch.nn.Linear
    temperature: float

    def __call__(self, first: int, last: int) -> torch.Tensor:
        """At places first to last - 1, float [N, last - first, V] in nats, with gradient."""
        states = self.states[:, first:last].to(self.head.weight.dtype)
        return (self.head(states).float() / self.temperature).log_softmax(-1)


@dataclass
class Tokens:
    """What `token_weights` and `loss` see: per-token tensors of a batch or of one group.

    Attributes:
        ids: The answers' tokens, int64 [N, T], right-padded.
        logps: Log-probabilities under the policy, with gradient, float [N, T], nats.
        old_logps: Under the policy that sampled the answers, float [N, T].
        ref_logps: Under the reference model, float [N, T]; None when beta is 0.
        entropies: Entropy of the next-token distribution, float [N, T].
        mask: 1 for answer tokens, [N, T].
        advantages: float [N].
        rewards: Shaped totals, float [N].
        groups: (start, stop) rows of each group.
        context: The run's context.
        vocabulary: (first place, last place + 1) -> log-probabilities over the vocabulary.
    """

    ids: torch.Tensor
    logps: torch.Tensor
    old_logps: torch.Tensor
    ref_logps: torch.Tensor | None
    entropies: torch.Tensor
    mask: torch.Tensor
    advantages: torch.Tensor
    rewards: torch.Tensor
    groups: list[tuple[int, int]]
    context: Context
    vocabulary: Vocabulary

    def of_group(self, start: int, stop: int) -> Tokens:
        """The rows of one group."""
        rows = slice(start, stop)
        return Tokens(
            ids=self.ids[rows],
            logps=self.logps[rows],
            old_logps=self.old_logps[rows],
            ref_logps=None if self.ref_logps is None else self.ref_logps[rows],
            entropies=self.entropies[rows],
            mask=self.mask[rows],
            advantages=self.advantages[rows],
            rewards=self.rewards[rows],
            groups=[(0, stop - start)],
            context=self.context,
            vocabulary=replace(self.vocabulary, states=self.vocabulary.states[rows]),
        )
