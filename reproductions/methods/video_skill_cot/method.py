"""Video-Skill-CoT finds the skills that questions need and writes each rationale by skill.

Paper: Video-Skill-CoT, arXiv 2506.03525: skill taxonomy, skill-based rationales, expert learning.
Catalog: video_skill_cot
Baseline: sft
Delta: prepare_data clusters the described skills into a taxonomy, gives each sample its closest
    skills and drops rationales that conclude wrongly; format_target names the skills and numbers
    the steps of the rationale, so that the model first says which expertise it needs.
Not reproduced: one adapter for each group of skills, the routing between them (one model learns all
    skills, and the named skill is the routing) and their second loss, on answers alone; skills
    described and rationales written by a language model (those of the data are used), sentence
    embeddings (word counts here), and a language model's check of what bears on the answer.
"""

import math
from collections import Counter
from dataclasses import replace

from reproductions.shared.method import Context, Method, Sample
from reproductions.shared.prompts import think_then_answer

SKILLS = 10  # clusters of the taxonomy, arXiv 2506.03525, skill description and clustering
RELEVANT = 3  # skills a question, same place (K)
ROUNDS = 10  # our choice: Lloyd's rounds; the authors' library default is not stated

Vector = dict[str, float]


def embed(text: str) -> Vector:
    """Word counts of length 1; underscores separate words."""
    counts = Counter(text.lower().replace("_", " ").split())
    norm = math.sqrt(sum(n * n for n in counts.values()))
    return {word: n / norm for word, n in counts.items()}


def cosine(a: Vector, b: Vector) -> float:
    """Similarity of two vectors of length 1, 0 to 1."""
    return sum(value * b.get(word, 0.0) for word, value in a.items())


def taxonomy(descriptions: list[str], k: int = SKILLS) -> dict[str, Vector]:
    """K-means over the skill descriptions: name (its member next to the centroid) -> centroid.

    Seeds are the first description and then always the one least like the seeds so far, so the
    result depends on the data alone.
    """
    counts = Counter(descriptions)
    points = {text: embed(text) for text in counts}
    names = list(points)[:1]
    while len(names) < min(k, len(points)):
        names.append(min(points, key=lambda t: max(cosine(points[t], points[s]) for s in names)))
    centres = [points[name] for name in names]
    for _ in range(ROUNDS):
        centres = [
            _centre(m, points, counts) if m else c
            for m, c in zip(_members(points, centres), centres, strict=True)
        ]
    clusters = zip(_members(points, centres), centres, strict=True)
    return {max(m, key=lambda t: cosine(points[t], c)): c for m, c in clusters if m}


def _members(points: dict[str, Vector], centres: list[Vector]) -> list[list[str]]:
    members: list[list[str]] = [[] for _ in centres]
    for text, point in points.items():
        members[max(range(len(centres)), key=lambda i: cosine(point, centres[i]))].append(text)
    return members


def _centre(members: list[str], points: dict[str, Vector], counts: Counter[str]) -> Vector:
    total: Vector = {}
    for text in members:
        for word, value in points[text].items():
            total[word] = total.get(word, 0.0) + counts[text] * value
    norm = math.sqrt(sum(v * v for v in total.values()))
    return {word: value / norm for word, value in total.items()}


def description(sample: Sample) -> str:
    """The skill that a question needs, in words: the data's own description, or its task."""
    return str(sample.meta.get("skill") or sample.task or sample.problem_type)


def prepare_data(samples: list[Sample], context: Context) -> list[Sample]:
    """The samples that conclude rightly, each with its `meta["skills"]`, closest first."""
    skills = taxonomy([description(s) for s in samples])
    kept = []
    for sample in samples:
        if (
            not sample.rationale
            or sample.meta.get("teacher_answer", sample.answer) != sample.answer
        ):
            continue
        near = {name: cosine(embed(description(sample)), c) for name, c in skills.items()}
        names = sorted((n for n in near if near[n] > 0), key=lambda n: -near[n])[:RELEVANT]
        kept.append(replace(sample, meta={**sample.meta, "skills": names}))
    return kept


def format_target(sample: Sample) -> str:
    """Skills, numbered steps and answer, in tags."""
    skills = ", ".join(sample.meta.get("skills") or [description(sample)])
    steps = "; ".join(f"{i}. {s}" for i, s in enumerate(sample.rationale.split("; "), 1))
    return f"<think>{skills.replace('_', ' ')}: {steps}</think><answer>{sample.answer}</answer>"


METHOD = Method(
    id="video_skill_cot",
    baseline="sft",
    prepare_data=prepare_data,
    prompt=think_then_answer,
    format_target=format_target,
)

if __name__ == "__main__":
    from reproductions.shared.run import main

    main(METHOD)
