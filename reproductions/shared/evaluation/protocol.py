"""The protocol of an evaluation: everything that decides whether two scores may be compared.

The record itself (`vidpost.catalog.models.Protocol`) and its fingerprint belong to the catalogue;
this module fills it from what the engine used, so that nobody writes a protocol by hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from vidpost.catalog.models import Protocol, Sampling

_DISTRIBUTIONS = {"pyav": "av"}
"""Decoders whose distribution has another name."""


def prompt_hash(template: str | Mapping[str, str]) -> str:
    """First 16 hex digits of the SHA-256 of a prompt template.

    Hash the template with its placeholders, not a filled-in question. Line ends and trailing blanks
    of lines do not count, every other character does.

    Args:
        template: One template, or one for each problem type.
    """
    parts = {"": template} if isinstance(template, str) else dict(template)
    tidy = {
        name: "\n".join(line.rstrip() for line in text.strip().splitlines())
        for name, text in parts.items()
    }
    canonical = json.dumps(tidy, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def build_protocol(
    frame_spec: Mapping[str, Any],
    *,
    prompt_template: str | Mapping[str, str],
    extractor: str,
    extractor_version: str | int,
    sampling: Mapping[str, Any],
    judge: str | None = None,
    subtitles: bool = False,
) -> Protocol:
    """Build the protocol of one evaluation.

    Args:
        frame_spec: `FrameSpec.to_dict()` of the spec that was used.
        prompt_template: Template of the user text, or one for each problem type.
        extractor: Name of the answer extraction.
        extractor_version: Its version; raise it whenever an extracted answer can change.
        sampling: temperature, top_p, max_new_tokens, n; other keys are errors.
        judge: Judge model with its version, None if answers are scored by rule.
        subtitles: Whether subtitles were given.

    Raises:
        KeyError: The spec names neither a number of frames nor a rate.
        pydantic.ValidationError: A value is missing, unknown or out of range.
    """
    spec = frame_spec
    by_rate = spec.get("sampling") == "fps"
    counts = {"first_middle_last": 3, "indices": len(spec.get("indices") or ())}
    fixed_size = (spec.get("height") or 0) * (spec.get("width") or 0)
    templates = {"": prompt_template} if isinstance(prompt_template, str) else prompt_template
    if spec.get("timestamps"):  # frame times are text that the model reads
        templates = {**templates, "timestamps": "yes"}
    return Protocol(
        frames=counts.get(str(spec.get("sampling"))) or (None if by_rate else spec["num_frames"]),
        fps=spec["fps"] if by_rate else None,
        # FrameSpec always has these bounds, but only sampling by rate looks at them.
        min_frames=spec.get("min_frames") if by_rate else None,
        max_frames=spec.get("max_frames") if by_rate else None,
        pixels=fixed_size or spec.get("max_pixels"),
        decoder=_decoder(spec),
        subtitles=subtitles,
        prompt_hash=prompt_hash(templates),
        extractor=f"{extractor} {extractor_version}",
        judge=judge,
        sampling=Sampling.model_validate(dict(sampling)),
    )


def _decoder(spec: Mapping[str, Any]) -> str:
    """Decoder, major version, and the limits that change pixels but have no field of their own."""
    name = str(spec.get("decoder", "pyav"))
    limits = [f"{key} {spec[key]}" for key in ("min_pixels", "total_pixels") if spec.get(key)]
    return ", ".join([f"{name} {_major(_DISTRIBUTIONS.get(name, name))}", *limits])


def _major(distribution: str) -> str:
    try:
        return version(distribution).partition(".")[0]
    except PackageNotFoundError:
        return "unknown"
