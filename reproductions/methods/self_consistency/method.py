"""Self-consistency samples many chains of thought and takes the answer most of them agree on.

Paper: Self-Consistency Improves Chain of Thought Reasoning in Language Models, arXiv 2203.11171,
    Sec. 2 (on video: the survey, arXiv 2510.05034, Sec. 4.3).
Catalog: self_consistency
Baseline: decode
Delta: decode samples answers and votes.
Not reproduced: the weighted votes of the paper's Table 1, which it finds no better.
"""

from reproductions.shared.decoding.ask import warm
from reproductions.shared.decoding.voting import self_consistency
from reproductions.shared.inference.engine import Generator, Prediction
from reproductions.shared.method import Context, Method, Sample


def decode(sample: Sample, generator: Generator, context: Context) -> Prediction:
    """One vote an answer; a tie goes to the answer that came first."""
    return self_consistency(sample, generator, context.settings["answers"], warm(context))


METHOD = Method(id="self_consistency", baseline="decode", decode=decode)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
