"""The published reward and metric functions, each as a few lines over our algebra.

`TABLE` maps (repository, function name as in the golden files) to an adapter that takes the
recorded keyword arguments and returns what the published function returns. It is the exact side:
published mistakes are kept, exceptions come back as `Failed`. Nothing here is for training; use
`rules`. Written from descriptions of the behaviour, not from the code (catalogue: `discrepancies`).
"""

from reproductions.shared.rewards.official.base import Adapter, Failed
from reproductions.shared.rewards.official.evaluation import EVALUATION
from reproductions.shared.rewards.official.losses import LOSSES
from reproductions.shared.rewards.official.training import TRAINING

TABLE: dict[tuple[str, str], Adapter] = {**TRAINING, **EVALUATION, **LOSSES}

__all__ = ["TABLE", "Adapter", "Failed"]
