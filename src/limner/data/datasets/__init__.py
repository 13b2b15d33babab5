"""Data sets as benchmarks know them: a name, a split, pictures with their captions, and the counts to expect.

    folder with Flickr8k.token.txt, Flickr_8k.*Images.txt     the original layout of Flickr8k
    dataset_flickr8k.json, dataset_flickr30k.json, ...        Karpathy's splits
    captions_val2014.json, ...                                COCO captions
    everything else that `data.sources` opens                 pairs of one's own: CSV, JSONL, parquet, tar, folder

Nothing is downloaded: the data are where the person put them.
"""

from limner.data.datasets.dataset import Dataset
from limner.data.datasets.open import open_dataset

__all__ = ["Dataset", "open_dataset"]
