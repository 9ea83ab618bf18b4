"""Still pictures: seen by the model, sized by the frame spec, mixed with videos in one batch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from reproductions.shared.models import torchvision_cure  # noqa: E402

torchvision_cure.apply()

from reproductions.shared.inference.engine import Request, Sampling  # noqa: E402
from reproductions.shared.inference.hf import HFGenerator  # noqa: E402
from reproductions.shared.method import Sample  # noqa: E402
from reproductions.shared.training.forward import Part, score_packed, score_rows  # noqa: E402
from reproductions.shared.video.decode import VideoError  # noqa: E402
from reproductions.shared.video.image import read_image  # noqa: E402
from reproductions.shared.video.spec import FrameSpec  # noqa: E402

SPEC = FrameSpec(sampling="uniform", num_frames=8, max_pixels=56 * 56, size_factor=28)


@pytest.fixture(scope="module")
def loaded(engine):
    model = engine.model(fused=True)
    return model, engine.encoder(model)


def picture(folder, name="a.png", colour=(200, 30, 30), size=(90, 60)):
    path = folder / name
    Image.new("RGB", size, colour).save(path)
    return str(path)


def test_a_picture_is_a_clip_of_one_frame_within_the_budget(tmp_path):
    clip = read_image(picture(tmp_path), SPEC)
    assert clip.frames.shape == (1, 28, 56, 3) and clip.frames.dtype == np.uint8
    assert tuple(clip.frames[0, 5, 5]) == (200, 30, 30)


def test_what_is_no_picture_is_refused_with_a_remedy(tmp_path):
    path = tmp_path / "b.png"
    path.write_bytes(b"no picture at all")
    with pytest.raises(VideoError, match=r"b\.png: no readable picture .* Leave it out"):
        read_image(path, SPEC)


def test_pictures_and_videos_share_a_batch(engine, loaded, tmp_path):
    """Log-probabilities of a mixed batch equal those of each prompt on its own."""
    model, encoder = loaded
    size = 32 if engine.family == "qwen3_vl" else 28
    spec = FrameSpec(sampling="uniform", num_frames=8, max_pixels=4 * size**2, size_factor=size)
    read = encoder.read
    encoder.read = lambda p: read_image(p, spec) if p.endswith(".png") else read(p)
    try:
        images = [
            Sample(id=f"i{i}", question="What colour?", answer="A", meta={"image": path})
            for i, path in enumerate(
                [picture(tmp_path), picture(tmp_path, "c.png", (20, 200, 40), (60, 90))]
            )
        ]
        video = engine.samples[0]
        order = [images[0], video, images[1]]
        sampling = Sampling(temperature=1.0, max_new_tokens=6, seed=3)
        together = HFGenerator(model, encoder).generate([Request(s, 2) for s in order], sampling)
        apart = [HFGenerator(model, encoder).generate([Request(s, 2)], sampling)[0] for s in order]
        assert [[c.ids for c in g] for g in together] == [[c.ids for c in g] for g in apart]
        flat = [c for g in together for c in g]
        length = max(len(c.ids) for c in flat)
        ids, mask = (
            torch.zeros(6, length, dtype=torch.long),
            torch.zeros(6, length, dtype=torch.long),
        )
        for row, completion in enumerate(flat):
            ids[row, : len(completion.ids)] = torch.tensor(completion.ids)
            mask[row, : len(completion.ids)] = 1
        parts = [Part(encoder(s), 2 * i, 2 * i + 2) for i, s in enumerate(order)]
        with torch.no_grad():
            rows, packed = (f(model, parts, ids, mask)[0] for f in (score_rows, score_packed))
        for row, completion in enumerate(flat):
            told = torch.tensor(completion.logprobs)
            assert torch.allclose(rows[row, : len(told)], told, atol=1e-5)
            assert torch.allclose(packed[row, : len(told)], told, atol=1e-5)
    finally:
        encoder.read = read
