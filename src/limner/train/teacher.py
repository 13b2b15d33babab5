"""What a trained vision model sees in our pictures, computed once and kept: targets to learn from.

The teacher is any ONNX graph `image` (n, 3, 224, 224) -> `map` (n, channels, 7, 7), ImageNet
normalisation. Its channels are reduced to their principal components, which keeps the file small.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
import torch.nn.functional as F

from limner.train.cache import Bytes

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
Halves = npt.NDArray[np.float16]


def cached_maps(pictures: list[Bytes], teacher: Path, folder: Path, components: int, batch: int = 32) -> list[Halves]:
    """For each array of pictures the teacher's map (n, 49, components) float16; made where `folder` has none.

    The components are those of the first array's maps and serve all arrays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    session = onnxruntime.InferenceSession(str(teacher), providers=["CPUExecutionProvider"])
    basis_path = folder / "components.npz"
    if not basis_path.exists():
        np.savez(basis_path, **_principal_components(_maps(session, pictures[0][::4], batch), components))
    basis = np.load(basis_path)
    results = []
    for number, array in enumerate(pictures):
        path = folder / f"maps-{number}.npy"
        if not path.exists():
            partial = path.with_suffix(".partial.npy")
            stored = np.lib.format.open_memmap(partial, "w+", np.float16, (len(array), 49, components))
            done = 0
            for maps in _maps(session, array, batch):
                stored[done : done + len(maps)] = (maps - basis["mean"]) @ basis["components"]
                done += len(maps)
            stored.flush()
            partial.rename(path)
        results.append(np.load(path, mmap_mode="r"))
    return results


def _maps(session: onnxruntime.InferenceSession, pictures: Bytes, batch: int) -> Iterator[npt.NDArray[np.float32]]:
    for start in range(0, len(pictures), batch):
        x = torch.from_numpy(np.array(pictures[start : start + batch])).float() / 255
        x = ((x - MEAN) / STD).permute(0, 3, 1, 2)
        x = F.interpolate(x, size=(224, 224), mode="bicubic", align_corners=False, antialias=True)
        (maps,) = session.run(["map"], {"image": x.numpy()})
        yield maps.reshape(*maps.shape[:2], -1).transpose(0, 2, 1)


def _principal_components(batches: Iterator[npt.NDArray[np.float32]], components: int) -> dict[str, np.ndarray]:
    count, total, outer = 0, 0.0, 0.0
    for maps in batches:
        rows = maps.reshape(-1, maps.shape[-1])
        count, total, outer = count + len(rows), total + rows.sum(0, dtype=np.float64), outer + rows.T @ rows
    mean = total / count
    values, vectors = np.linalg.eigh(outer / count - np.outer(mean, mean))
    scale = float(np.sqrt(values[-components:].mean()))  # unit variance on average, the spectrum kept
    return {
        "mean": mean.astype(np.float32),
        "components": (vectors[:, : -components - 1 : -1] / scale).astype(np.float32),
        "kept": np.float32(values[-components:].sum() / values.sum()),
    }
