"""Do trainer, generator and evaluator see the same thing? Token ids and log-probabilities compared.

Four ways to the log-probabilities of the same answers:

- generator: noted while the answers were sampled, from an expanded prefill cache;
- rows, packed: the trainer's two forwards, with the fused head;
- plain: the processor's own tensors and an ordinary forward of transformers, one answer at a time,
  where the model works out the positions itself.

A difference means that training optimises another policy than the one that is sampled or measured:
a lost frame rate, missing pixels, shifted positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from reproductions.shared.inference.engine import Request, Sampling
from reproductions.shared.inference.hf import HFGenerator
from reproductions.shared.method import Sample
from reproductions.shared.models.encode import Encoder
from reproductions.shared.training.forward import Part, score_packed, score_rows

TOLERANCE = 1e-4
"""Largest difference of a log-probability in float32, nats."""


@dataclass(frozen=True)
class Parity:
    """What was compared.

    Attributes:
        answers: Number of answers.
        tokens: Number of answer tokens.
        ids_equal: Whether the encoder's prompt ids equal the processor's, for every prompt.
        generator: Largest difference between generator and plain forward, nats.
        rows: Largest difference between the trainer's rows and the plain forward.
        packed: Largest difference between the trainer's packed rows and the plain forward.
        blind: Largest change of an answer's mean log-probability when the video is blanked out;
            0 means that the model does not see it.
        tolerance: What the first three may reach.
    """

    answers: int
    tokens: int
    ids_equal: bool
    generator: float
    rows: float
    packed: float
    blind: float
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        """Whether all three agree and the video matters."""
        worst = (self.generator, self.rows, self.packed)
        # One by one, for `max` may lose a NaN.
        return self.ids_equal and all(x <= self.tolerance for x in worst) and self.blind > 0

    def to_dict(self) -> dict[str, Any]:
        """All values and the verdict."""
        return asdict(self) | {"passed": self.passed}


def check(
    model: Any, encoder: Encoder, samples: Sequence[Sample], n: int = 2, max_new_tokens: int = 32
) -> Parity:
    """Compare the four ways on sampled answers.

    Args:
        model: An unwrapped model in float32.
        encoder: Encodes samples.
        samples: Questions with videos.
        n: Answers a question.
        max_new_tokens: Tokens an answer.
    """
    from trl.trainer.utils import add_fused_lm_head

    if not getattr(model, "vidpost_fused", False):
        add_fused_lm_head(model, outputs=("log_probs", "entropy"))
        model.vidpost_fused = True
    sampling = Sampling(temperature=1.0, max_new_tokens=max_new_tokens, seed=1)
    answers = HFGenerator(model, encoder).generate([Request(s, n) for s in samples], sampling)
    flat = [a for group in answers for a in group]
    length = max(len(a.ids) for a in flat)
    ids = torch.zeros(len(flat), length, dtype=torch.long, device=model.device)
    mask = torch.zeros_like(ids)
    sampled = torch.zeros(len(flat), length, device=model.device)
    for row, answer in enumerate(flat):
        ids[row, : len(answer.ids)] = torch.tensor(answer.ids)
        mask[row, : len(answer.ids)] = 1
        sampled[row, : len(answer.ids)] = torch.tensor(answer.logprobs)
    parts = [Part(encoder(s), i * n, (i + 1) * n) for i, s in enumerate(samples)]
    with torch.no_grad():
        plain, ids_equal = _plain(model, encoder, samples, n, ids, mask)
        blank, _ = _plain(model, encoder, samples, n, ids, mask, blank=True)
        rows, _ = score_rows(model, parts, ids, mask)
        packed, _ = score_packed(model, parts, ids, mask)

    def worst(values: torch.Tensor) -> float:
        return float(((values - plain) * mask).abs().max())

    change = ((plain - blank) * mask).sum(1).abs() / mask.sum(1)
    return Parity(
        answers=len(flat),
        tokens=int(mask.sum()),
        ids_equal=ids_equal,
        generator=worst(sampled),
        rows=worst(rows),
        packed=worst(packed),
        blind=float(change.max()),
    )


def _plain(
    model: Any,
    encoder: Encoder,
    samples: Sequence[Sample],
    n: int,
    ids: torch.Tensor,
    mask: torch.Tensor,
    blank: bool = False,
) -> tuple[torch.Tensor, bool]:
    """Log-probabilities by an ordinary forward, one answer at a time."""
    from transformers.video_utils import VideoMetadata

    from reproductions.shared.video.decode import video_metadata

    result = torch.zeros(ids.shape, device=ids.device)
    ids_equal = True
    for i, sample in enumerate(samples):
        assert sample.video is not None
        clip = encoder.read(sample.video)
        inputs = encoder.processor(
            text=[encoder.text(sample)],
            videos=[clip.frames * 0 if blank else clip.frames],
            video_metadata=[VideoMetadata(**video_metadata(clip))],
            do_sample_frames=False,
            do_resize=False,
            return_tensors="pt",
        ).to(ids.device)
        ids_equal &= bool(torch.equal(inputs["input_ids"][0].cpu(), encoder(sample).ids))
        for row in range(i * n, (i + 1) * n):
            tokens = ids[row : row + 1, : int(mask[row].sum())]
            types = torch.zeros_like(tokens)
            extra = {
                k: inputs[k]
                for k in ("pixel_values_videos", "video_grid_thw", "second_per_grid_ts")
                if k in inputs
            }
            logits = model(
                input_ids=torch.cat([inputs["input_ids"], tokens], dim=1),
                mm_token_type_ids=torch.cat([inputs["mm_token_type_ids"], types], dim=1),
                attention_mask=torch.ones(1, inputs["input_ids"].shape[1] + tokens.shape[1]).to(
                    ids.device
                ),
                **extra,
            ).logits[0, -tokens.shape[1] - 1 : -1]
            logps = logits.float().log_softmax(-1).gather(-1, tokens[0].unsqueeze(-1)).squeeze(-1)
            result[row, : tokens.shape[1]] = logps
    return result, ids_equal
