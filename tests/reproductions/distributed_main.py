"""`vidpost` as each process of `accelerate launch` runs it in the tests.

    accelerate launch ... tests/reproductions/distributed_main.py run video_r1 ...

The small, untrained model earns rewards, so that reinforcement learning moves its weights. The
environment variable FAULT ("raise" or "hang", rank, step) breaks one process at a step.
"""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace
from typing import Any


def main() -> None:
    from run_process import _enliven

    _enliven()
    from reproductions.shared.training.grpo import VideoGRPOTrainer

    fault = os.environ.get("FAULT", "").split()
    if fault and fault[1] == os.environ["RANK"]:
        real = VideoGRPOTrainer._generate_and_score_completions

        def broken(self, inputs):
            if self.state.global_step == int(fault[2]):
                if fault[0] == "raise":
                    raise ValueError("this process is broken")
                time.sleep(600)
            return real(self, inputs)

        VideoGRPOTrainer._generate_and_score_completions = broken
    from vidpost.cli.main import main as vidpost

    vidpost()


def generate_in_pieces(rank: int, port: str, checkpoint: str, results: Any) -> None:
    """One of two processes that hold half of a model each (FSDP2) and generate alone.

    The first writes one token, the second six. Then both train a step.
    """
    os.environ.update(
        RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1",
        MASTER_PORT=port, VIDPOST_TIMEOUT="0.5",
    )  # fmt: skip
    import torch
    from accelerate import Accelerator
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    from reproductions.shared import processes
    from reproductions.shared.models.load import load_model
    from reproductions.shared.training.grpo import whole_model
    from vidpost.catalog.preset import ModelSettings

    torch.set_num_threads(1)
    processes.join("cpu")
    settings = ModelSettings(id="tiny", family="qwen2_5_vl", dtype="float32")
    model = load_model(checkpoint, settings)
    mesh = init_device_mesh("cpu", (2,))
    for layer in (*model.model.visual.blocks, *model.model.language_model.layers):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    accelerator = Accelerator(cpu=True)
    trainer = SimpleNamespace(model_wrapped=model, accelerator=accelerator)
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad(), whole_model(trainer) as whole:
        for _ in range(6 if rank else 1):
            ids = torch.cat([ids, whole(input_ids=ids).logits[:, -1:].argmax(-1)], dim=1)
    loss = model(input_ids=ids[:, :4]).logits.float().logsumexp(-1).mean()
    loss.backward()
    spread = all(p.grad is None or hasattr(p.grad, "to_local") for p in model.parameters())
    results.put((rank, ids[0].tolist(), round(loss.item(), 5), spread))


if __name__ == "__main__":
    sys.argv[0] = "vidpost"
    main()
