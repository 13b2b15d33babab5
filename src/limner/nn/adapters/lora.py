"""LoRA: low-rank updates of frozen linear layers, through peft (Hu et al. 2022, arXiv 2106.09685; cards 37 and 57)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from limner.core.errors import InputError, MissingDependency
from limner.nn.adapters.freezing import encoders, free_projection, freeze
from limner.nn.two_towers import TwoTowers


@dataclass(frozen=True, slots=True)
class Lora:
    """W x + (alpha / rank) B A x with A (rank, inputs) drawn and B (outputs, rank) zero at first."""

    rank: int = 8
    alpha: float = 16
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    """How the names of the linear layers end ("attention.into", say); empty: all linear layers of a tower."""
    sides: tuple[str, ...] = ("image", "text")
    projections: bool = False
    """Train how states are pooled and projected, too."""

    def attach(self, model: TwoTowers) -> None:
        """Raises InputError where a tower has no such layer, MissingDependency without peft."""
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise MissingDependency("peft", "LoRA", "train") from error
        freeze(model)
        for encoder in encoders(model, self.sides):
            names = [name for name, part in encoder.tower.named_modules() if self._is_target(name, part)]
            if not names:
                raise InputError(f"no linear layer of {type(encoder.tower).__name__} has a name like {self.targets}")
            config = LoraConfig(r=self.rank, lora_alpha=self.alpha, lora_dropout=self.dropout, target_modules=names)
            inject_adapter_in_model(config, encoder.tower)
            if self.projections:
                free_projection(encoder)

    def _is_target(self, name: str, part: nn.Module) -> bool:
        return isinstance(part, nn.Linear) and (not self.targets or f".{name}".endswith(self._endings()))

    def _endings(self) -> tuple[str, ...]:
        return tuple(f".{target}" for target in self.targets)


def merge(model: nn.Module) -> None:
    """Add the updates to the weights they belong to, in place: the model has its old shape and names again."""
    from peft.tuners.lora import LoraLayer

    for name, layer in list(model.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge()
            model.set_submodule(name, layer.get_base_layer())
