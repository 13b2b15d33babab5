"""The encoder of a bundle: its graphs run by ONNX Runtime, without torch."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from limner.core.errors import BundleError, InputError
from limner.core.runtime import cpu_count
from limner.core.types import Dense, Integers, Modality, Representation, Representations, Space, Sparse, Tokens
from limner.encode.bundle import Bundle
from limner.encode.manifest import ImageInput, TextInput
from limner.encode.preprocess import prepare_picture
from limner.encode.tokenizer import PAD, Tokenizer

if TYPE_CHECKING:
    import onnxruntime

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]


class OnnxEncoder:
    """`core.protocols.Encoder` over a bundle. A graph is loaded when its modality is first encoded.

    `threads` is how many processors one call of `encode` uses: all of this process's if not given.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.bundle = bundle
        self._threads = threads or cpu_count()
        self._lock = threading.Lock()  # guards the two that are made on first use
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._tokenizer: Tokenizer | None = None

    @property
    def fingerprint(self) -> str:
        return self.bundle.fingerprint

    @cached_property
    def spaces(self) -> Mapping[str, Space]:
        return {space.name: space for space in self.bundle.manifest.spaces}

    @property
    def modalities(self) -> frozenset[Modality]:
        return self.bundle.manifest.modalities

    @property
    def picture_side(self) -> int:
        """Pixels of the shorter side that a picture needs: a reader may decode to that size and lose nothing.

        Twice what the graph reads: resizing from there cannot be told from resizing the original.
        """
        return 2 * self._image.size

    def prepare(self, modality: Modality, content: Any) -> Any:
        """An upright RGB PIL picture -> (size, size, 3) uint8; a str -> its token ids.

        Raises InputError for a modality that the model does not have, another picture mode, a text too long.
        """
        if modality == "text":
            return self._ready_tokenizer().encode(content)
        if modality == "image":
            return prepare_picture(content, self._image)
        raise self._no_such(modality)

    def encode(self, modality: Modality, prepared: Sequence[Any]) -> Representations:
        """n prepared things -> n rows in each space; in a space of cosine similarity each vector has length 1.

        Raises BundleError if a graph does not keep to the contract of `docs/bundle-format.md`.
        """
        if modality == "text":
            graph, name, assemble = self._text.graph, "tokens", _pad
        elif modality == "image":
            graph, name, assemble = self._image.graph, "image", _stack
        else:
            raise self._no_such(modality)
        if len(prepared):
            outputs = self._run(graph, {name: assemble(prepared)})
        else:
            outputs = _no_outputs(self.bundle.manifest.spaces)
        try:
            return {space.name: _represent(space, outputs, len(prepared)) for space in self.spaces.values()}
        except BundleError as error:
            raise BundleError(f"{self.bundle.path / graph}: {error}: convert the model again") from None

    def pieces(self, text: str) -> list[str]:
        """What part of a text each of its tokens stands for, in a space of kind tokens: words, or parts of them."""
        return self._ready_tokenizer().pieces(text)

    @property
    def grid(self) -> tuple[int, ...] | None:
        """Of the places that a picture's tokens stand for, where they cover the whole picture."""
        image = self.bundle.manifest.image
        return self.bundle.manifest.grid if image and image.resize == "stretch" else None

    def word(self, space: str, term: int) -> str:
        """The token that a dimension of a sparse space stands for."""
        return self._ready_tokenizer().decode([term]).strip()

    def bare_words(self, text: str) -> Sparse:
        """The words of a text as they stand, weight 1 each: a question to a sparse space that no model has to read.

        Raises InputError as `prepare` does.
        """
        tokenizer = self._ready_tokenizer()
        words = np.array(tokenizer.words(text), np.int64)
        return Sparse(
            _offsets(np.array([len(words)])), words, np.ones(len(words), np.float32), tokenizer.vocabulary_size
        )

    def calibrate(self, space: str, question: Modality, scores: Any) -> Any:
        """Scores of a question against items -> probabilities, same shape. Raises InputError for an unknown pair."""
        try:
            calibration = self.bundle.manifest.calibration[space][question]
        except KeyError:
            raise InputError(
                f"model {self.bundle.manifest.name} has no {space} scores of {question} questions"
            ) from None
        exponent = calibration.slope * np.asarray(scores) + calibration.offset
        return 1 / (1 + np.exp(-np.clip(exponent, -80, 80)))  # beyond, exp overflows float32

    @property
    def _image(self) -> ImageInput:
        if image := self.bundle.manifest.image:
            return image
        raise self._no_such("image")

    @property
    def _text(self) -> TextInput:
        if text := self.bundle.manifest.text:
            return text
        raise self._no_such("text")

    def _no_such(self, modality: str) -> InputError:
        has = " and ".join(sorted(self.modalities))
        return InputError(f"model {self.bundle.manifest.name} encodes {has}, not {modality}: use a model that does")

    def _ready_tokenizer(self) -> Tokenizer:
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = Tokenizer.load(self.bundle.path / self._text.tokenizer, self._text.context_length)
            return self._tokenizer

    def _run(self, graph: str, batch: Arrays) -> Arrays:
        path = self.bundle.path / graph
        with self._lock:
            if graph not in self._sessions:
                self._sessions[graph] = _open_graph(path, batch, self.bundle.manifest.spaces, self._threads)
            session = self._sessions[graph]
        names = [output.name for output in session.get_outputs()]
        try:
            return dict(zip(names, session.run(names, batch), strict=True))
        except Exception as error:  # the library's exceptions have no base of their own
            raise BundleError(f"{path} failed: {_first_line(error)}: convert the model again") from None


def _open_graph(path: Path, batch: Arrays, spaces: Sequence[Space], threads: int) -> onnxruntime.InferenceSession:
    """A session whose only input is that of the batch, and which has an output for each space."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: they are raised, warnings are for who converts models
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A waiting thread that spins takes the processor from those that decode the next pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Batches come in many shapes; a plan of memory for each of them would be kept for ever.
    options.enable_mem_pattern = False
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's exceptions have no base of their own
        raise BundleError(f"{path} cannot be loaded: {_first_line(error)}: convert the model again") from None
    wanted = ", ".join(f"{name} tensor({array.dtype})" for name, array in batch.items())
    given = ", ".join(f"{node.name} {node.type}" for node in session.get_inputs())
    if given != wanted:
        raise BundleError(f"{path} must have the input {wanted}, not {given}: convert the model again")
    missing = {space.name for space in spaces} - {node.name for node in session.get_outputs()}
    if missing:
        raise BundleError(f"{path} has no output {', '.join(sorted(missing))}: convert the model again")
    return session


def _stack(prepared: Sequence[Any]) -> npt.NDArray[Any]:
    """Squares of pixels -> (n, size, size, 3)."""
    return np.stack(prepared)


def _pad(prepared: Sequence[Any]) -> npt.NDArray[Any]:
    """Token ids -> (n, longest), filled up with padding."""
    batch = np.full((len(prepared), max(map(len, prepared))), PAD, np.int64)
    for row, ids in zip(batch, prepared, strict=True):
        row[: len(ids)] = ids
    return batch


def _no_outputs(spaces: Sequence[Space]) -> Arrays:
    """What a graph would put out for no input at all."""
    return {space.name: np.zeros((0, 0, space.size) if space.kind == "tokens" else (0, space.size)) for space in spaces}


def _represent(space: Space, outputs: Arrays, count: int) -> Representation:
    """One output of a graph, checked, as the representation of its space. Raises BundleError."""
    values = np.ascontiguousarray(outputs[space.name], np.float32)
    wanted = (count, *values.shape[1:2], space.size) if space.kind == "tokens" else (count, space.size)
    if values.shape != wanted:
        raise BundleError(f"output {space.name} has shape {values.shape}, not {wanted}")
    if not np.isfinite(values).all():
        raise BundleError(f"output {space.name} holds numbers that are not finite")
    if space.similarity == "cosine":
        values /= np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    if space.kind == "dense":
        return Dense(values)
    if space.kind == "sparse":
        rows, indices = values.nonzero()
        return Sparse(_offsets(np.bincount(rows, minlength=count)), indices, values[rows, indices], space.size)
    mask = outputs.get(f"{space.name}_mask", np.ones(values.shape[:2])).astype(bool)
    if mask.shape != values.shape[:2]:
        raise BundleError(f"output {space.name}_mask has shape {mask.shape}, not {values.shape[:2]}")
    return Tokens(_offsets(mask.sum(axis=1)), values[mask])


def _offsets(lengths: Integers) -> Integers:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
