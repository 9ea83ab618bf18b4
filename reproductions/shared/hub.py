"""Published data sets from the hub, downloaded once and read by their own readers."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from reproductions.shared.method import Sample


class HubError(Exception):
    """A data set cannot be had here. The message says which, why, and what to do."""


SOURCES = {
    "video_r1_260k": ("Video-R1/Video-R1-data", "Video-R1-260k.json"),
    "video_r1_cot_165k": ("Video-R1/Video-R1-data", "Video-R1-COT-165k.json"),
}
"""Dataset id -> (hub repository, record file). Videos lie beside the record file."""


def published_data(dataset: str, samples: int | None) -> list[Sample]:
    """The samples of a published data set.

    `VIDPOST_DATA` names a folder with `<dataset id>/` copies that are used instead of the hub.

    Args:
        dataset: Id of a dataset with a reader under reproductions/datasets.
        samples: At most this many, from the front; None: all.

    Raises:
        HubError: Unknown here, or it cannot be downloaded.
    """
    if dataset not in SOURCES:
        raise HubError(
            f"data set '{dataset}' has no reader under reproductions/datasets. It can be used on "
            "your own records: --data FILE."
        )
    repository, name = SOURCES[dataset]
    own = os.environ.get("VIDPOST_DATA")
    folder = Path(own) / dataset if own else None
    if folder is None or not (folder / name).is_file():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError

        try:
            folder = Path(snapshot_download(repository, repo_type="dataset"))
        except (HfHubHTTPError, OSError) as error:
            raise HubError(
                f"data set '{dataset}' cannot be downloaded from {repository}: "
                f"{type(error).__name__}. Check the network, or put a copy with {name} into a "
                f"folder '{dataset}' and name its parent in VIDPOST_DATA."
            ) from None
    module = importlib.import_module(f"reproductions.datasets.{dataset}")
    records: list[Sample] = module.load(folder / name, folder, images="skip", on_problem="skip")
    return records[:samples]
