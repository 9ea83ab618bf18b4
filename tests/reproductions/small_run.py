"""A finished run folder without training, the command on it, and a server in a model's place."""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from click.testing import CliRunner, Result

from vidpost.cli.main import main


def vidpost(*arguments: object) -> Result:
    """The command in this process; what it says and its exit code."""
    return CliRunner().invoke(main, [str(a) for a in arguments])


def write_run(folder: Path, checkpoint: Path, method: str = "decode", **overrides: object) -> Path:
    """Write a run of a test-time method around a checkpoint; its clips are small.

    Args:
        folder: The run folder.
        checkpoint: Copied to the run's last stage.
        method: Id.
        **overrides: Keys of the preset, with "__" for ".".
    """
    from reproductions.shared.settings import Options, find_method, settings_of

    keys = {
        "evaluate.max_new_tokens": 6,
        "synthetic.train": 6,
        "synthetic.validation": 2,
        "synthetic.test": 6,
        **{k.replace("__", "."): v for k, v in overrides.items()},
    }
    preset = settings_of(find_method(method), Options(preset="mini", overrides=keys))
    config = {
        "method": method,
        "preset_name": "mini",
        "overrides": keys,
        "smoke": False,
        "data": None,
        "eval_data": None,
        "video_root": None,
        "command": f"vidpost run {method}",
        "settings": preset.model_dump(mode="json"),
    }
    final = folder / "stages" / "sft" / "final"
    final.parent.mkdir(parents=True)
    shutil.copytree(checkpoint, final)
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def reply(body, text="an answer", **choice):
    """A well-formed response to a request's body."""
    message = {"role": "assistant", "content": text}
    return {
        "choices": [
            {"index": i, "message": message, "finish_reason": "stop"} | choice
            for i in range(body.get("n", 1))
        ],
        "usage": {"prompt_tokens": 30, "completion_tokens": 6 * body.get("n", 1)},
    }


class Server:
    """A server whose answers a test writes: `answer(body, how often it came) -> what to send`.

    What is sent is a dict (JSON), bytes, or (status, headers, dict or bytes).
    """

    def __init__(self, owned_by="library"):
        self.bodies, self.headers = [], []
        self.times: Counter[str] = Counter()
        self.now = self.most = 0
        self.lock = threading.Lock()
        self.models = [{"id": "tiny", "owned_by": owned_by}]
        self.answer = lambda body, times: reply(body)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                outer.headers.append(dict(self.headers))
                models = outer.models
                self.send(models if isinstance(models, tuple) else {"data": models})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                key = json.dumps(body["messages"])
                with outer.lock:
                    outer.bodies.append(body)
                    outer.headers.append(dict(self.headers))
                    outer.times[key] += 1
                    times = outer.times[key]
                    outer.now += 1
                    outer.most = max(outer.most, outer.now)
                try:
                    self.send(outer.answer(body, times))
                finally:
                    with outer.lock:
                        outer.now -= 1

            def send(self, what):
                status, headers, content = what if isinstance(what, tuple) else (200, {}, what)
                if content is None:  # hang up without a word
                    self.close_connection = True
                    return
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
