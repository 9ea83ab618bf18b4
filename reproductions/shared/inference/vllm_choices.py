"""Holds vLLM to an answer's choices, token by token as the tokenizer writes them.

vLLM's own grammar for choices lets a model write them in any pieces: of "no", a model that would
say "not" may begin with "n", and then "n" is what is scored. transformers' engine (`hf._Course`)
allows the tokens of the choices as they were trained, and so does this. vLLM imports the module in
its workers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vllm.v1.sample.logits_processor import (  # type: ignore[import-not-found,unused-ignore]
    AdapterLogitsProcessor,
)

from reproductions.shared.inference.vllm import CHOICES

if TYPE_CHECKING:
    import torch


class Choices(AdapterLogitsProcessor):  # type: ignore[misc,unused-ignore]
    """Strikes out, for each request with choices, the tokens that no choice goes on with."""

    def is_argmax_invariant(self) -> bool:
        """Greedy answers are held to the choices as well."""
        return False

    def new_req_logits_processor(self, params: Any) -> Callable[..., Any] | None:
        """(tokens so far, logits [V]) -> logits, for a request with choices."""
        asked = (params.extra_args or {}).get(CHOICES)
        if asked is None:
            return None

        def strike(written: list[int], logits: torch.Tensor) -> torch.Tensor:
            n = len(written)
            left = [c for c in asked["choices"] if c[:n] == list(written)]
            nexts = {c[n] for c in left if len(c) > n}
            if any(len(c) == n for c in left) or not left:  # a whole one, or already ended
                nexts |= set(asked["ends"])
            keep = list(nexts)
            values = logits[keep]
            logits.fill_(float("-inf"))
            logits[keep] = values
            return logits

        return strike
