"""Text -> token ids: byte-level byte-pair encoding over the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.core.errors import BundleError, InputError

if TYPE_CHECKING:
    import tokenizers

PAD, BOS, EOS = 0, 1, 2
_SPECIAL = ["[PAD]", "[BOS]", "[EOS]"]
_IDLE_SPACE = r" (?=\p{Han})|(?<=\p{Han}) (?=\p{P})"


class Tokenizer:
    """A tokenizer that never cuts: a text that does not fit its context is an error. Safe to use from threads."""

    def __init__(self, backend: tokenizers.Tokenizer, context_length: int) -> None:
        # A tokenizer made elsewhere may bring its own cutting and padding: both would be silent.
        backend.no_truncation()
        backend.no_padding()
        # "[PAD]" in a text is six letters, not the padding token.
        backend.encode_special_tokens = True
        self._backend = backend
        self.context_length = context_length

    @classmethod
    def load(cls, path: str | Path, context_length: int) -> Tokenizer:
        """Read a `tokenizer.json`. Raises BundleError."""
        import tokenizers

        try:
            backend = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise BundleError(f"{path} is not a readable tokenizer ({error}): convert the model again") from None
        return cls(backend, context_length)

    def with_context(self, length: int) -> Tokenizer:
        """The same tokens, for texts of up to `length` of them."""
        return Tokenizer(self._backend, length)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, special tokens included: `context_length` at most.

        Raises InputError for a text that is too long, that holds no words at all, or that is not Unicode.
        """
        try:
            ids: list[int] = self._backend.encode(text).ids
        except TypeError:
            raise InputError(f"the text {text!r:.60} is not valid Unicode: give it as UTF-8") from None
        if len(ids) > self.context_length:
            fits = len(text) * self.context_length // len(ids)
            raise InputError(
                f"the text {text!r:.60}... has {len(ids)} tokens and the model reads {self.context_length} at most: "
                f"shorten it to about {fits} of its {len(text)} characters"
            )
        if len(ids) == self._backend.num_special_tokens_to_add(is_pair=False):
            raise InputError("the text is empty: give it at least one word")
        return ids

    def words(self, text: str) -> list[int]:
        """The ids of the words of a text, each once, rising: no special tokens. Raises InputError as `encode` does."""
        self.encode(text)
        return sorted(set(self._backend.encode(text, add_special_tokens=False).ids))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the ids: what `encode` made of a text, in lower case and with its spaces tidied."""
        return str(self._backend.decode(ids)).removeprefix(" ")

    def pieces(self, text: str) -> list[str]:
        """What part of the text each token stands for, begin and end left out: as many as `encode` gives less two.

        Of a character that is cut into several tokens each stands for the whole.
        """
        encoding = self._backend.encode(text)
        spans = zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
        return [text[start:end].strip() for (start, end), special in spans if not special]

    @property
    def vocabulary_size(self) -> int:
        return int(self._backend.get_vocab_size())

    def to_json(self) -> bytes:
        """The content of a `tokenizer.json`."""
        return str(self._backend.to_str()).encode()


def train_tokenizer(
    texts: Iterable[str], vocabulary_size: int, context_length: int, *, characters: bool = False
) -> Tokenizer:
    """Learn merges of byte pairs from texts: every text can be encoded, whatever its script.

    Texts are brought to Unicode NFC, lower case and single spaces. Ids 0, 1 and 2 are padding, begin
    and end; every text is encoded between the latter two. Raises InputError for a vocabulary that
    cannot hold the 256 bytes and the special tokens.

    `characters`: for text that is written without spaces. No token holds more than one Chinese character, so that no
    segmentation is needed and none can differ; spaces beside them count for nothing, and forms of other widths are
    what they are forms of (NFKC): a full-width comma is a comma.
    """
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from tokenizers import Tokenizer as Backend

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    smallest = len(alphabet) + len(_SPECIAL)
    if vocabulary_size < smallest:
        raise InputError(f"a vocabulary of {vocabulary_size} is too small: it needs {smallest} at least")
    backend: Any = Backend(models.BPE())
    plain = [normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    # The space in front makes the first word of a text the same token as inside of it.
    if characters:
        tidied = [normalizers.Prepend(" "), normalizers.Replace(Regex(_IDLE_SPACE), "")]
        backend.normalizer = normalizers.Sequence([normalizers.NFKC(), *plain, *tidied])
        alone = pre_tokenizers.Split(Regex(r"\p{Han}"), "isolated")
        backend.pre_tokenizer = pre_tokenizers.Sequence([alone, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    else:
        backend.normalizer = normalizers.Sequence([normalizers.NFC(), *plain])
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size, special_tokens=_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[("[BOS]", BOS), ("[EOS]", EOS)]
    )
    return Tokenizer(backend, context_length)
