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
    from reproductions.shared.inference.vllm import checkpoint_tensors
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
        with checkpoint_tensors(whole) as weights:  # what a vLLM server is given
            sums = {name: float(tensor.double().sum()) for name, tensor in weights}
    loss = model(input_ids=ids[:, :4]).logits.float().logsumexp(-1).mean()
    loss.backward()
    spread = all(p.grad is None or hasattr(p.grad, "to_local") for p in model.parameters())
    results.put((rank, ids[0].tolist(), round(loss.item(), 5), spread, sums))


def train_on_unlike_samples(
    rank: int, port: str, family: str, checkpoint: str, spread: str, samples: Any, results: Any
) -> None:
    """One of two processes that train together, or (rank -1) one that does the work of both.

    Args:
        rank: Number of the process.
        port: Where they meet.
        family: Architecture.
        checkpoint: Its folder.
        spread: "fsdp2", or "ddp", which is told that every weight gets a gradient.
        samples: For each step and each process the samples of its batch.
        results: Takes (rank, losses, weights).
    """
    alone = rank < 0
    if not alone:
        os.environ.update(
            RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1",
            MASTER_PORT=port, VIDPOST_TIMEOUT="0.5",
        )  # fmt: skip
    import torch
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    from reproductions.shared import processes
    from reproductions.shared.models.encode import Encoder
    from reproductions.shared.models.load import load_model, load_processor
    from reproductions.shared.models.lockstep import keep_in_step
    from reproductions.shared.training.sft import VideoCollator
    from reproductions.shared.video.decode import read_frames
    from reproductions.shared.video.image import read_image
    from reproductions.shared.video.spec import FrameSpec
    from vidpost.catalog.preset import ModelSettings

    torch.set_num_threads(1)
    processes.join("cpu")
    settings = ModelSettings(id="tiny", family=family, dtype="float32")
    model = load_model(checkpoint, settings, train=True)
    side = 32 if family == "qwen3_vl" else 28
    spec = FrameSpec(sampling="uniform", num_frames=4, max_pixels=side * side, size_factor=side)

    def read(path: str) -> Any:
        return (read_image if path.endswith(".png") else read_frames)(path, spec)

    encoder = Encoder(load_processor(checkpoint), model, read, lambda s: s.question)
    trained = model
    if not alone:
        keep_in_step(model, every_gradient=spread == "ddp")
        if spread == "ddp":
            trained = torch.nn.parallel.DistributedDataParallel(model)
        else:
            mesh = init_device_mesh("cpu", (2,))
            for layer in (*model.model.visual.blocks, *model.model.language_model.layers):
                fully_shard(layer, mesh=mesh)
            fully_shard(model, mesh=mesh)
    if spread == "ddp":
        optimizer: Any = torch.optim.SGD(trained.parameters(), lr=1.0)
    else:  # momentum and decay: a gradient that is missing is not one that is zero
        optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-2, weight_decay=0.1)
    losses = []
    for step in samples:
        for batch in step if alone else [step[rank]]:
            collate = VideoCollator(batch, encoder, lambda s: s.answer)
            rows = collate([{"sample": i} for i in range(len(batch))])
            loss = trained(**rows).loss
            (loss / (2 if alone else 1)).backward()
            losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    whole = {
        n: (p.full_tensor() if hasattr(p, "full_tensor") else p).detach().numpy()
        for n, p in model.named_parameters()
    }
    results.put((rank, losses, whole))


if __name__ == "__main__":
    sys.argv[0] = "vidpost"
    main()
