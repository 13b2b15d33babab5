"""What is known of public data sets: how large each split is, and under which terms the data were given out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Split:
    images: int
    names_sha256: str = ""
    """SHA-256 of the sorted file names, joined by newlines: not only as many pictures, but the same. Empty: unknown."""


@dataclass(frozen=True, slots=True)
class Known:
    splits: Mapping[str, Split] = field(default_factory=dict)
    licence: str = ""


KNOWN: Mapping[str, Known] = {
    "flickr8k": Known(
        {
            "train": Split(6_000, "36510bd90ccee351dc0909b24530deaa6e730b706a3b194fbabab99198b02d44"),
            "val": Split(1_000, "51c9cff8a4e3cd845101a5848b8f8d33681429c6b8395d9fddf581ce5a69e942"),
            "test": Split(1_000, "dcb37c9f44f9c0877c1310abe53203e7f06f720af2db2bb53438697d69988548"),
        },
        "non-commercial research and education; photographs belong to their authors on Flickr; "
        "cite Hodosh, Young and Hockenmaier 2013",
    ),
    "flickr30k": Known(
        {"train": Split(29_000), "val": Split(1_014), "test": Split(1_000)},
        "non-commercial research and education; photographs belong to their authors on Flickr; "
        "cite Young, Lai, Hodosh and Hockenmaier 2014",
    ),
    "coco": Known(
        {
            "train": Split(82_783),
            "restval": Split(30_504),
            "val": Split(5_000),
            "test": Split(5_000),
            "train2014": Split(82_783),
            "val2014": Split(40_504),
            "train2017": Split(118_287),
            "val2017": Split(5_000),
        },
        "annotations CC BY 4.0; photographs under the terms of their authors on Flickr; cite Lin et al. 2014",
    ),
}
"""By name. The splits of flickr30k, and train to test of coco, are Karpathy's; val2014 and the like are COCO's own."""
