"""Chain-of-thought prompting writes a thought first; a second call takes the answer out of it.

Paper: Large Language Models are Zero-Shot Reasoners, arXiv 2205.11916, Sec. 3 (on video: the
    survey, arXiv 2510.05034, Sec. 4.2).
Catalog: cot_prompting
Baseline: decode
Delta: decode makes two calls, reasoning extraction and answer extraction.
Not reproduced: the trigger sentence; an opened think tag takes its place, which is what the
    reasoning models of this catalogue were trained to continue.
"""

from reproductions.shared.decoding.ask import greedy, request, short_answers, tagged
from reproductions.shared.inference.engine import Generator, Prediction
from reproductions.shared.method import Context, Method, Sample


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """A thought up to its closing tag, then the answer, one of the options where there are any."""
    thinking = request(sample, prefix="<think>")
    how = greedy(context, stop=("</think>",))
    thought = generator.generate([thinking], how)[0][0].text
    asked = request(sample, prefix=f"<think>{thought}</think><answer>")
    choices = short_answers(sample)
    how = greedy(context, choices=choices, stop=() if choices else ("</answer>",))
    answer = generator.generate([asked], how)[0][0].text
    return Prediction(tagged(answer, thought), trace=({"step": "thought", "text": thought},))


METHOD = Method(id="cot_prompting", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
