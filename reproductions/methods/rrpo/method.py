"""RRPO scores only the phrases in which a pair differs, and holds every other token in place.

Paper: RRPO, arXiv 2504.12083: the loss L_RRPO and the perturbation of videos.
Catalog: rrpo
Baseline: dpo
Delta: build_group pairs the right answer with the model's own answer on a disturbed video; loss
    takes the margin over the differing phrases alone and adds a token-wise KL to the reference.
Not reproduced: phrases marked by a language model (they come from a token diff here, as in the
    authors' code for VideoChat2) and the square that hides a part of every frame (a part of the
    frames is left out instead, because a view chooses frames and does not paint on them).
"""

from typing import TYPE_CHECKING

from reproductions.shared.method import Context, Method, Rollouts, Sample
from reproductions.shared.prompts import rationale_target
from reproductions.shared.rewards.text import differing

if TYPE_CHECKING:
    import torch

    from reproductions.shared.training.preference import PairTokens

ALPHA = 0.01  # weight of the KL; pritamqu/RRPO@a905573 scripts/llavavideo/run.sh, LOSS_ALPHA
MASKED = (0.25, 0.5)  # share that is hidden, arXiv 2504.12083, data generation; here of the frames


def build_group(sample: Sample, context: Context) -> list[Rollouts]:
    """The right answer, and one answer on frames that are partly hidden and out of order."""

    def disturbed(frames: int) -> list[int]:
        hidden = round(frames * context.rng.uniform(*MASKED))
        kept = max(1, frames - hidden)
        # The processor merges frames in twos.
        kept += kept % 2 if kept < frames else 0
        return context.rng.sample(range(frames), kept)

    return [
        Rollouts(0, view="right", given=(rationale_target(sample),)),
        Rollouts(1, view="disturbed", frames=disturbed, trained=False),
    ]


def phrases(tokens: "PairTokens") -> "torch.Tensor":
    """1 for the tokens of phrases in which chosen and rejected differ, else 0; [2N, L-1]."""
    import torch

    n = len(tokens.pairs)
    marks = torch.zeros_like(tokens.logps)
    answer = tokens.mask.bool()
    for i in range(n):
        rows = (i, n + i)
        texts = [tokens.ids[row][answer[row]].tolist() for row in rows]
        for row, signs in zip(rows, differing(*texts), strict=True):
            marks[row, answer[row]] = torch.tensor(signs).gt(0).to(marks)
    return marks


def loss(tokens: "PairTokens") -> "torch.Tensor":
    """-log sigmoid of the phrases' margin, plus ALPHA times the KL on the chosen answer (L_RRPO).

    Sums over tokens, no length normalisation, as in the official code.
    """
    from torch.nn.functional import logsigmoid

    rewards = tokens.beta * ((tokens.logps - tokens.ref_logps) * phrases(tokens)).sum(1)
    chosen, rejected = rewards.chunk(2)
    return (ALPHA * tokens.ref_kl().sum(1) - logsigmoid(chosen - rejected)).mean()


METHOD = Method(id="rrpo", baseline="dpo", build_group=build_group, loss=loss)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
