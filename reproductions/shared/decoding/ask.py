"""Asking a generator: requests, sampling, and what an answer's probability says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from reproductions.shared.inference.engine import Completion, Message, Request, Sampling, Shown
from reproductions.shared.method import Context, Sample
from reproductions.shared.prompts import think_then_answer
from reproductions.shared.rewards.tags import unclosed_tag

WHOLE = Shown()
YES_NO = ("yes", "no")


def request(
    sample: Sample,
    text: str = "",
    shown: Shown | None = WHOLE,
    *,
    n: int = 1,
    before: Sequence[Message] = (),
    prefix: str = "",
    stream: int = 0,
) -> Request:
    """One user message about a part of the video.

    Args:
        sample: The question.
        text: What is said; "": the question with the usual instruction.
        shown: What is shown; None: nothing. A sample without a video shows nothing.
        n: Answers.
        before: The conversation up to here.
        prefix: The beginning of the answer.
        stream: Tells equal requests apart.
    """
    see = shown if sample.video is not None else None
    message = Message("user", text or think_then_answer(sample), see)
    return Request(sample, n, stream=stream, messages=(*before, message), prefix=prefix)


def greedy(
    context: Context,
    tokens: int | None = None,
    *,
    stop: tuple[str, ...] = (),
    choices: tuple[str, ...] = (),
) -> Sampling:
    """The likeliest answer; `tokens` None: as many as a final answer may have."""
    limit = tokens or int(context.settings.get("answer_tokens", 1024))
    return Sampling(max_new_tokens=limit, seed=context.seed, stop=stop, choices=choices)


def warm(
    context: Context,
    tokens: int | None = None,
    *,
    temperature: float | None = None,
    stop: tuple[str, ...] = (),
) -> Sampling:
    """Varied answers, by the settings' temperature, top-p and top-k."""
    set_ = context.settings
    return Sampling(
        temperature=set_["temperature"] if temperature is None else temperature,
        top_p=set_.get("top_p", 1.0),
        top_k=set_.get("top_k", 0),
        max_new_tokens=tokens or int(set_.get("answer_tokens", 1024)),
        seed=context.seed,
        stop=stop,
    )


def note_tokens(context: Context) -> int:
    """Tokens of a caption, a thought or a tool call."""
    return int(context.settings.get("note_tokens") or context.settings.get("answer_tokens", 256))


def logprobs(completion: Completion) -> tuple[float, ...]:
    """Log-probabilities of an answer's tokens, nats; () for an empty answer.

    Raises:
        ValueError: The engine gives none: no confidence can be made of that.
    """
    if completion.ids and completion.text and not completion.logprobs:
        raise ValueError(
            "the engine gives no log-probabilities, and this method weighs answers by them. Serve "
            "the model with vLLM, or take a method that counts: --method self_consistency"
        )
    return completion.logprobs


def probability(completion: Completion) -> float:
    """Probability of the whole answer, 0 to 1."""
    return math.exp(min(0.0, sum(logprobs(completion))))


def yes(completion: Completion) -> float:
    """Probability of yes against no, from the likelier answer of `YES_NO`.

    What the model would give to neither of the two is not known to be the other's: the likelier one
    has at least one half. Exact where the model gives all to the two, as one that was taught does.
    Without log-probabilities the answer counts as certain.
    """
    p = max(0.5, probability(completion)) if completion.logprobs else 1.0
    return p if completion.text == "yes" else 1.0 - p


def mean_logprob(completion: Completion) -> float:
    """Mean log-probability of the tokens, nats; 0 for an empty answer."""
    return fmean(logprobs(completion)) if logprobs(completion) else 0.0


def least_probability(completion: Completion) -> float:
    """Probability of the least likely token, 0 to 1; 1 for an empty answer."""
    return math.exp(min(logprobs(completion), default=0.0))


def answer_of(text: str) -> str:
    """The final answer in an answer tag, as votes compare it; "" if there is none."""
    return " ".join((unclosed_tag(text) or "").split()).rstrip(".").casefold()


def letters(sample: Sample) -> tuple[str, ...]:
    """The letters of the options; () if there are none."""
    return tuple(option[0] for option in sample.options)


def short_answers(sample: Sample) -> tuple[str, ...]:
    """What an answer can be, if it must be one of few texts: the letters; () otherwise."""
    return letters(sample) if sample.problem_type == "multiple choice" else ()


def tagged(answer: str, thought: str = "") -> str:
    """An answer in tags, as it is scored."""
    return f"<think>{thought}</think><answer>{answer}</answer>"
