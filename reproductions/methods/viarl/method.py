"""ViaRL trains a selector of frames by whether another model then answers rightly from them.

Paper: ViaRL, arXiv 2505.15447.
Catalog: viarl
Baseline: grpo
Delta: prepare_data asks for frame numbers; rewards pay valid numbers, the form, and right answers
    of the frozen checkpoint from those frames; shape_rewards joins them; loss is REINFORCE++;
    format_target teaches a cold start both roles; decode selects, then answers.
Not reproduced: numbers drawn on the frames, an answerer larger than the selector (it is the
    checkpoint that the stage started from) that says the letter at once, a selector that is not
    shown the options, and cycles that train both in turns.
"""

import re
from dataclasses import replace
from typing import Any

from reproductions.shared.decoding.ask import greedy, request
from reproductions.shared.decoding.skills import frame_role, target
from reproductions.shared.inference.engine import Generator, Message, Prediction, Sampling, Shown
from reproductions.shared.method import Context, Group, Method, Sample
from reproductions.shared.prompts import question
from reproductions.shared.rewards import rules
from reproductions.shared.rewards.tags import text_of

CANDIDATES, SHARE = 128, 16  # official stage 1 @fbea6b7: 8 of 128 frames, or 16 of 256
SCALE = 64.0  # official stage 1 @fbea6b7: sides of 112 pixels for candidates, 896 for the chosen
BONUS, SHORTEST, LONGEST = 0.2, {16: 110}, 512  # official trainer @fbea6b7; from 80 with 8 frames
RIGHT, ANSWER_TOKENS = 2.0, 128  # official stage 1 @fbea6b7: reward, tokens of a bare letter


def select(sample: Sample, n: int) -> str:
    """Asks the selector for a sixteenth of n frames."""
    ask = f"{question(sample)}\nThink first, in <think> </think>. Then in <index> </index>: "
    return f"{ask}{max(1, n // SHARE)} of the frames 0 to {n - 1}."


def chosen(text: str, n: int, context: Context) -> tuple[int, ...]:
    """The frames that an output names, ascending; () unless they are a sixteenth of n, all valid.

    The official code also takes decimals and words between the numbers, and reads "-3" as 3.
    """
    inner = rules.answer_of(text, "index")
    if context.variant != "official_code" and not re.fullmatch(r"[\d\s,]*", inner):
        return ()
    numbers = [float(x) for x in re.findall(r"\d+(?:\.\d+)?", inner)]
    valid = len(numbers) == len(set(numbers)) == max(1, n // SHARE) and max(numbers) < n
    return tuple(sorted(int(x) for x in numbers)) if valid else ()


def look(frames: tuple[int, ...], times: tuple[float, ...]) -> Shown:
    """What the answerer sees: these frames, large."""
    return Shown(times=tuple(times[i] for i in frames), scale=SCALE)


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """Questions for frames; in a cold start every fourth one shows given frames and is answered."""
    roles = []
    for i, sample in enumerate(s for s in samples if s.video is not None):
        seconds, fps = (float(sample.meta.get(key) or 0) for key in ("seconds", "fps"))
        n = min(CANDIDATES, round(seconds * fps)) or CANDIDATES
        text, scale = select(sample, n), None if i % 4 else SCALE
        ask = (Message("user", text, Shown()),)
        role = replace(sample, meta={**sample.meta, "messages": ask})
        if context.stage == "sft":
            role = frame_role(sample, text, n, max(1, n // SHARE), scale, context.seed)
        roles.append(role)
    return roles


def accuracy(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """1 if the frozen checkpoint, shown the chosen frames alone, answers rightly (greedily)."""
    rows = list(zip(completions, columns["sample"], columns["context"], strict=True))
    keys = [(s.id, chosen(text_of(c), len(known.times), known)) for c, s, known in rows]
    pairs = zip(keys, rows, strict=True)
    asked = {k: request(s, shown=look(k[1], known.times)) for k, (_, s, known) in pairs if k[1]}
    room = int(columns["context"][0].settings.get("max_completion_length") or 0)  # it thinks first
    sampling = Sampling(max_new_tokens=max(ANSWER_TOKENS, room))
    answers = columns["context"][0].frozen.generate(list(asked.values()), sampling)
    texts = {key: a[0].text for key, a in zip(asked, answers, strict=True)}
    said = [texts.get(key, "") for key in keys]
    return rules.accuracy("viarl")(prompts, said, solution=columns["solution"])


def index(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """1 for exactly a sixteenth of the frames, all different and all there."""
    pairs = zip(completions, columns["context"], strict=True)
    return [float(bool(chosen(text_of(c), len(known.times), known))) for c, known in pairs]


def form(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
    """1 for thought and numbers in tags; the answerer's tag is set after them, as in the code."""
    return [rules.FORMATS["viarl"](f"{text_of(c)}<answer></answer>") for c in completions]


def shape_rewards(group: Group, context: Context) -> list[float]:
    """2 x accuracy x index + index + form, and the bonus for the selector's length in tokens."""
    low = SHORTEST.get(len(context.times) // SHARE, 80)
    parts = zip(*(group.scores[name] for name in ("accuracy", "index", "form")), strict=True)
    rows = zip(parts, group.lengths, strict=True)
    return [RIGHT * a * i + i + f + BONUS * (low <= n <= LONGEST) for (a, i, f), n in rows]


def loss(tokens: Any) -> Any:
    """REINFORCE++ (arXiv 2501.03262): clipped surrogate with whitened returns, mean over tokens.

    A token's reward is -beta times its log-ratio to the reference, the last one's also the total;
    its return is the sum from it on. Whitening is over the tokens of the batch, not of a group.
    """
    import torch

    mask, settings = tokens.mask.to(tokens.logps.dtype), tokens.context.settings
    rewards = torch.zeros_like(mask)
    if tokens.ref_logps is not None:
        rewards -= float(settings["beta"]) * (tokens.old_logps - tokens.ref_logps) * mask
    rewards[torch.arange(len(mask)), tokens.mask.sum(1) - 1] += tokens.rewards
    returns = rewards.flip(1).cumsum(1).flip(1)
    inside = returns[mask > 0]
    advantages = (returns - inside.mean()) / (inside.var(correction=0) + 1e-8).sqrt()
    ratio, epsilon = (tokens.logps - tokens.old_logps).exp(), float(settings["epsilon"])
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - epsilon, 1 + epsilon) * advantages)
    return -(gain * mask).sum() / mask.sum()


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """Select, then let the frozen checkpoint answer; without valid numbers from even frames."""
    times, n = context.times, len(context.times)
    text = generator.generate([request(sample, select(sample, n))], greedy(context))[0][0].text
    frames = chosen(text, n, context) or tuple(range(SHARE // 2, n, SHARE))
    asked = request(sample, shown=look(frames, times) if times else None)
    answer = (context.frozen or generator).generate([asked], greedy(context))[0][0].text
    return Prediction(answer, trace=({"step": "select", "frames": frames, "text": text},))


METHOD = Method(
    id="viarl",
    baseline="grpo",
    prepare_data=prepare_data,
    rewards=(accuracy, index, form),
    shape_rewards=shape_rewards,
    loss=loss,
    format_target=target,
    decode=decode,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
