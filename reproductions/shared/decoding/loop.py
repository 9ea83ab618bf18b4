"""The tool loop: the model answers, or calls a tool and sees what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.shared.decoding.ask import WHOLE, greedy, note_tokens, request
from reproductions.shared.decoding.tools import Tool, ToolError, call_of, frames_of, use
from reproductions.shared.inference.engine import Generator, Message, Prediction, Shown
from reproductions.shared.method import Context, Sample
from reproductions.shared.prompts import with_tools


def tool_loop(
    sample: Sample,
    generator: Generator,
    context: Context,
    tools: Mapping[str, Tool],
    described: str,
    turns: int,
) -> Prediction:
    """Let the model call tools until it answers; in the last turn it must.

    A call that fails is answered by its error, for the model to mend, and is counted in the trace.

    Args:
        sample: The question.
        generator: The model.
        context: Of the run; `settings["frames"]` frames a look.
        tools: Name -> tool.
        described: The tools in words, one a line.
        turns: Answers of the model, at most.

    Returns:
        The answer; its evidence is what the tools showed.
    """
    first = WHOLE if context.settings.get("frames") is None else Shown(frames=frames_of(context))
    asked = request(sample, with_tools(sample, described), first)
    evidence: list[tuple[float, float]] = []
    trace: list[dict[str, Any]] = []
    text = ""
    for turn in range(turns):
        last = turn + 1 == turns
        limit = None if last else max(note_tokens(context), context.settings["answer_tokens"])
        if last:  # the beginning of a thought leaves no room for a call
            asked = request(
                sample, asked.messages[-1].text, asked.messages[-1].shows,
                before=asked.messages[:-1], prefix="<think>",
            )  # fmt: skip
        answer = generator.generate([asked], greedy(context, limit))[0][0]
        text = ("<think>" if last else "") + answer.text
        if last:
            break
        try:
            call = call_of(text)
            if call is None:
                break
            seen = use(call, tools, sample, context)
            reply, shows = seen.text, seen.shows
            trace.append({"step": "call", "tool": call[0], "arguments": dict(call[1])})
            if shows is not None and shows.span is not None:
                evidence.append(shows.span)
            elif shows is not None and shows.times is not None:
                evidence.append((shows.times[0], shows.times[-1]))
        except ToolError as error:
            reply, shows = f"Error: {error}", None
            trace.append({"step": "error", "message": str(error)})
        said = Message("assistant", text)
        asked = request(sample, reply, shows, before=(*asked.messages, said))
    return Prediction(text, tuple(evidence), tuple(trace))
