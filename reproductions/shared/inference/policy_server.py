"""vLLM servers that answer the rollouts of a model that is being trained."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from reproductions.shared import processes
from reproductions.shared.files import published
from reproductions.shared.inference.chat_api import message_of
from reproductions.shared.inference.engine import Completion, Request, Sampling
from reproductions.shared.inference.server import ServerError, ServerGenerator
from reproductions.shared.inference.vllm import checkpoint_tensors
from reproductions.shared.models.encode import Encoder


class PolicyServer(ServerGenerator):
    """vLLM servers that answer the rollouts of a model that is being trained.

    New weights go through a folder: the first process writes them, each server reads them in place
    (`reload_weights`) and forgets what it computed with the old ones. vLLM's own way, NCCL, needs
    CUDA devices on both sides; a folder needs only that both see it.

    Args:
        url: As of `ServerGenerator`.
        encoder: The trainer's.
        folder: Takes the weights; the servers find it under the same path.
        dtype: Of the weights that are written, for example torch.bfloat16; None: as they are.
        **options: As of `ServerGenerator`.

    Raises:
        ServerError: A server is not vLLM, or was not started so that its weights can be changed.
    """

    def __init__(
        self, url: str, encoder: Encoder, folder: Path, *, dtype: Any = None, **options: Any
    ) -> None:
        super().__init__(url, None, encoder, logprobs=False, **options)
        self.folder = folder.resolve()
        self.dtype = dtype
        if not self.is_vllm:
            raise ServerError(f"{self.url}: is no vLLM server, whose weights could be changed.")
        self._command("reset_encoder_cache")  # there is the command only where it is allowed

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """As of `Generator`, but a request that fails is an error: nothing is trained on it."""
        failed = len(self.failures)
        answers = super().generate(requests, sampling)
        if self.failures[failed:]:
            first = self.failures[failed]
            raise ServerError(f"{self.url}: no answer about {first.sample}: {first.reason}")
        decode = self.encoder.tokenizer.decode
        return [
            [replace(a, text=str(decode(a.ids, skip_special_tokens=True))) for a in several]
            for several in answers
        ]

    def follow(self, model: Any) -> None:
        """Give the servers the present weights of a model; all processes call this together.

        Args:
            model: The policy, unwrapped, with all weights in place.
        """
        if not processes.rank():
            from safetensors.torch import save_file

            self.folder.mkdir(parents=True, exist_ok=True)
            with (
                checkpoint_tensors(model) as weights,
                published(self.folder / "model.safetensors") as part,
            ):
                tensors = {n: t.to(self.dtype or t.dtype).cpu().contiguous() for n, t in weights}
                save_file(tensors, part, metadata={"format": "pt"})
            rpc = {"method": "reload_weights", "kwargs": {"weights_path": str(self.folder)}}
            self._command("collective_rpc", rpc)
            self._command("reset_encoder_cache")
            self._command("reset_prefix_cache")
        processes.wait()

    def _command(self, name: str, body: dict[str, Any] | None = None) -> None:
        """Give every server one of the commands of its developer mode."""
        for url in self.urls:
            address = f"{url.removesuffix('/v1')}/{name}"
            try:
                response = self._client.post(address, json=body)
            except httpx.TransportError as error:
                raise ServerError(
                    f"{address}: {type(error).__name__}: {self._safe(error)}"
                ) from None
            if response.status_code == 404:
                raise ServerError(
                    f"{url}: lets nobody change its weights. Start the server with the environment "
                    "variable VLLM_SERVER_DEV_MODE=1, on a network that you trust."
                )
            failed = response.content.startswith(b'{"success":false')
            if response.status_code != 200 or failed:
                said = self._safe(ValueError(message_of(response.content)))
                raise ServerError(
                    f"{address}: status {response.status_code}: {said}. The server must serve the "
                    f"model that is trained, and see {self.folder}."
                )

    def close(self) -> None:
        """Close the connections, and remove what was written for the servers."""
        super().close()
        if not processes.rank():
            (self.folder / "model.safetensors").unlink(missing_ok=True)
            with suppress(OSError):  # it was never made, or holds what is not ours
                self.folder.rmdir()
