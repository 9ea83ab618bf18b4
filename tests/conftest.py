"""Settings of the whole suite; they must hold before any library is imported."""

from __future__ import annotations

import os

# Two test processes with two threads each on two cores can be ten times slower than one each.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Nothing here may ask another host; a test that needs one is marked `network` and unsets these.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
