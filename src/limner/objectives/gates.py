"""Agreement gates: how much a picture with a raw and a synthetic text counts (card 16, ALIP, arXiv 2308.08428).

S_tc, S_xt, S_xc     cosines of raw text t, synthetic text c and picture x
H <- 0.99 H + 0.01 mean(S)                                            running means, 1 at the start
W_s = min(1, exp(S_tc - H_tc)^2)                                      language consistency
W_t = exp(S_xt - H_xt)^2, W_c = exp(S_xc - H_xc)^2 where W_s < 1      description consistency; 1 elsewhere
weight of a pair = W_s W_t on the raw path, W_s W_c on the synthetic path
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.targets import owned, share


class RunningMeans(nn.Module):
    """`values` (3,): of raw text with synthetic text, picture with raw text, picture with synthetic text."""

    values: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("values", torch.ones(3))


def gates(cosines: Tensor, means: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`cosines` (3, n) in the order of RunningMeans and their means (3,) -> W_s, W_t, W_c, (n,) each."""
    agreement, raw, synthetic = (2 * (cosines - means[:, None])).exp()
    doubted = agreement < 1
    one = torch.ones_like(agreement)
    return agreement.clamp(max=1), torch.where(doubted, raw, one), torch.where(doubted, synthetic, one)


@dataclass(frozen=True, slots=True)
class AgreementGates:
    """Weights of a `Contrast` (formulas at the top of the file; card 16): a pair counts less where its picture's
    two texts disagree more than usual, and then the text that fits the picture counts more than the other.

    Needs vectors and, for each picture, texts of both roles; of several texts of one role the mean cosine counts.
    Two `Contrast`, one a role and each with the path of its role, make the method. Each keeps running means of its
    own: they move by its own calls only, in training, and are equal. Use it where raw texts are often wrong and a
    captioner is at hand; compare with the same two texts without gates. The means start at 1, so that all weights
    are small for some 1 / (1 - momentum) steps, as a warm-up; runs of less than 500 steps want a momentum of 0.95.
    W_t and W_c are not capped: at most exp(2 - 2 H).
    """

    path: Literal["raw", "synthetic"]
    raw: str = "caption"
    """The role of the texts that came with the pictures."""
    synthetic: str = "synthetic"
    """The role of the texts that a captioner wrote."""
    momentum: float = 0.99
    describes: bool = True
    """False: language consistency alone, the same weight W_s on either path."""

    def __post_init__(self) -> None:
        if self.path not in ("raw", "synthetic"):
            raise InputError(f"the path of agreement gates is 'raw' or 'synthetic', not {self.path!r}")
        if not 0 <= self.momentum < 1:
            raise InputError(f"the momentum of agreement gates lies from 0 to below 1; it is {self.momentum}")

    def head(self) -> nn.Module:
        return RunningMeans()

    @torch.no_grad()
    def __call__(self, features: Features, head: RunningMeans) -> tuple[Tensor, Tensor]:
        """Weights (n,) of the pictures and (m,) of all texts; a text has that of its picture."""
        cosines = self._cosines(features)
        agreement, of_raw, of_synthetic = gates(cosines, head.values)
        if head.training:
            head.values.lerp_(cosines.mean(1), 1 - self.momentum)
        weights = agreement
        if self.describes:
            weights = weights * (of_raw if self.path == "raw" else of_synthetic)
        return weights, weights[features.owner]

    def _cosines(self, features: Features) -> Tensor:
        """(3, n) in the order of RunningMeans."""
        picture = features.image.vectors.float()
        raw, synthetic = (self._mean_text(features, role) for role in (self.raw, self.synthetic))
        return torch.stack([(raw * synthetic).sum(1), (picture * raw).sum(1), (picture * synthetic).sum(1)])

    def _mean_text(self, features: Features, role: str) -> Tensor:
        """(n, d): the mean of each picture's texts of this role, so that its dot products are mean cosines."""
        features = features.replace(view=None, teacher=None).with_role(role)
        own = owned(features)
        if not own.any(1).all():
            raise InputError(f"agreement gates need a text of role {role!r} for each picture; some have none")
        return (share(own) @ features.text.vectors.float()).float()  # autocast may have halved it
