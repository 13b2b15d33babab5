"""Public layouts read as published: splits, counts, names; what is missing or odd is named."""

import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from limner.core.errors import InputError, SourceError
from limner.data.content import read_bytes
from limner.data.datasets import Dataset, open_dataset
from limner.data.pictures import read_picture

FLICKR8K = Path(__file__).parents[2].parent / "shared/data/flickr8k"


def draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "red").save(path)


def opens(dataset: Dataset) -> bool:
    return all(read_picture(read_bytes(item.uri), item.uri)[0].size == (8, 8) for item in dataset.items)


def make_flickr8k(folder: Path) -> Path:
    captions = {"a.jpg": 2, "b.jpg": 2, "c.jpg": 1, "d.jpg": 1, "x.jpg.1": 1}
    lines = [
        f"{name}#{number}\tA dog , {name} {number} .\n" for name, count in captions.items() for number in range(count)
    ]
    (folder / "Flickr8k_text").mkdir(parents=True)
    (folder / "Flickr8k_text/Flickr8k.token.txt").write_text("".join(lines))
    for part, name in {"train": "b", "dev": "c", "test": "a"}.items():
        (folder / f"Flickr8k_text/Flickr_8k.{part}Images.txt").write_text(f"{name}.jpg\n")
    for name in "abcd":
        draw(folder / f"Flicker8k_Dataset/{name}.jpg")
    return folder


def test_flickr8k_as_given_out(tmp_path: Path) -> None:
    make_flickr8k(tmp_path)
    dataset = open_dataset(tmp_path)
    assert (dataset.name, dataset.split, dataset.captions) == ("flickr8k", "test", 2)
    assert [item.id for item in dataset.items] == ["a.jpg"]
    assert dataset.items[0].texts == ("A dog , a.jpg 0 .", "A dog , a.jpg 1 .")
    assert opens(dataset)
    assert "Hodosh" in dataset.licence
    assert dataset.notes == ("Published as flickr8k test are 1,000 images; here are 1.",)
    assert [open_dataset(tmp_path, part).items[0].id for part in ("train", "val", "extra")] == [
        "b.jpg",
        "c.jpg",
        "d.jpg",
    ]
    assert len(open_dataset(tmp_path, "extra").items) == 1  # x.jpg.1 was never a photograph


def test_flickr8k_with_pictures_elsewhere_and_damaged_texts(tmp_path: Path) -> None:
    folder = make_flickr8k(tmp_path / "texts")
    (folder / "Flicker8k_Dataset").rename(tmp_path / "photographs")
    with pytest.raises(SourceError, match=r"its pictures \(b.jpg, ...\) are not near it"):
        open_dataset(folder)
    assert opens(open_dataset(folder, images=tmp_path / "photographs"))
    table = folder / "Flickr8k_text/Flickr8k.token.txt"
    table.write_text(table.read_text() + "no tab here\n")
    with pytest.raises(SourceError, match="line 8 is not"):
        open_dataset(folder)
    (folder / "Flickr8k_text/Flickr_8k.devImages.txt").unlink()
    table.write_text("a.jpg#0\tA dog\n")
    with pytest.raises(SourceError, match=r"devImages\.txt: No such file"):
        open_dataset(folder)


def make_karpathy(folder: Path) -> Path:
    entries = [("val2014", "1.jpg", "test", 7), ("val2014", "2.jpg", "val", 5), ("train2014", "3.jpg", "train", 5)]
    entries.append(("val2014", "4.jpg", "restval", 5))
    images = [
        {
            "filepath": place,
            "filename": name,
            "split": split,
            "sentences": [{"raw": f" caption {number} of {name}\n", "tokens": []} for number in range(count)],
        }
        for place, name, split, count in entries
    ]
    for place, name, _, _ in entries:
        draw(folder / place / name)
    (folder / "dataset_coco.json").write_text(json.dumps({"dataset": "coco", "images": images}))
    return folder / "dataset_coco.json"


def test_karpathy(tmp_path: Path) -> None:
    path = make_karpathy(tmp_path)
    dataset = open_dataset(path, "test")
    assert (dataset.name, dataset.split, dataset.captions) == ("coco", "test", 7)
    assert dataset.items[0].texts[0] == "caption 0 of 1.jpg"
    assert opens(dataset)
    assert dataset.first_captions(5).captions == 5
    assert "The first 5 captions of each image." in dataset.first_captions(5).notes
    both = open_dataset(path, "train+restval")
    assert [item.id for item in both.items] == ["3.jpg", "4.jpg"]
    assert opens(both)
    with pytest.raises(SourceError, match=r"no split 'dev'; it has test \(1\), val \(1\), train \(1\), restval \(1\)"):
        open_dataset(path, "dev")


def test_karpathy_pictures_flat_in_a_tar(tmp_path: Path) -> None:
    path = make_karpathy(tmp_path / "data")
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        for file in (tmp_path / "data").glob("*/*.jpg"):
            archive.add(file, file.name)
            file.unlink()
    dataset = open_dataset(path, "test", images=tmp_path / "all.tar")
    assert dataset.items[0].uri == f"{tmp_path}/all.tar::1.jpg"
    assert opens(dataset)


def make_coco(folder: Path) -> Path:
    draw(folder / "val2014/COCO_1.jpg")
    draw(folder / "val2014/COCO_2.jpg")
    whole = {
        "images": [{"id": 1, "file_name": "COCO_1.jpg"}, {"id": 2, "file_name": "COCO_2.jpg"}],
        "annotations": [
            {"image_id": 2, "id": 9, "caption": "two"},
            {"image_id": 1, "id": 3, "caption": "one"},
            {"image_id": 2, "id": 4, "caption": "two again"},
        ],
    }
    (folder / "annotations").mkdir()
    (folder / "annotations/captions_val2014.json").write_text(json.dumps(whole))
    return folder / "annotations/captions_val2014.json"


def test_coco_captions(tmp_path: Path) -> None:
    dataset = open_dataset(make_coco(tmp_path))
    assert (dataset.name, dataset.split) == ("coco", "val2014")
    assert [item.texts for item in dataset.items] == [("one",), ("two", "two again")]
    assert opens(dataset)
    assert dataset.notes == ("Published as coco val2014 are 40,504 images; here are 2.",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "neither Karpathy's layout"),
        ('{"images": [{"filename": "a.jpg"}]}', "KeyError 'sentences'"),
        ('{"images": [], "annotations": [{"image_id": 7, "caption": "x"}]}', "names image 7"),
    ],
)
def test_json_of_no_known_layout(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "captions_x.json").write_text(text)
    with pytest.raises(SourceError, match=message):
        open_dataset(tmp_path / "captions_x.json")


def test_plain_pairs_without_splits(tmp_path: Path) -> None:
    draw(tmp_path / "pictures/a.png")
    draw(tmp_path / "pictures/b.png")
    (tmp_path / "pairs.csv").write_text("image,caption\npictures/a.png,one\npictures/b.png,two\npictures/a.png,three\n")
    dataset = open_dataset(tmp_path / "pairs.csv")
    assert (dataset.name, dataset.split) == ("pairs", "")
    assert [(item.id, item.texts) for item in dataset.items] == [
        ("pictures/a.png", ("one", "three")),
        ("pictures/b.png", ("two",)),
    ]
    assert opens(dataset)
    with pytest.raises(SourceError, match="has no split 'restval'; it has "):
        open_dataset(tmp_path / "pairs.csv", "restval")
    with pytest.raises(InputError, match="leave `images` out"):
        open_dataset(tmp_path / "pairs.csv", images=tmp_path)


def test_pairs_without_splits_are_split_by_their_ids(tmp_path: Path) -> None:
    rows = [{"image": f"{number}.png", "caption": "x"} for number in range(400)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    parts = {split: {item.id for item in open_dataset(path, split).items} for split in ("train", "val", "test")}
    assert len(set.union(*parts.values())) == sum(map(len, parts.values())) == 400
    assert 20 <= len(parts["test"]) <= 60
    assert 20 <= len(parts["val"]) <= 60
    assert "drawn by a hash" in open_dataset(path, "test").notes[0]
    path.write_text("".join(json.dumps(row) + "\n" for row in reversed(rows[:200])))  # fewer, in another order
    assert {item.id for item in open_dataset(path, "test").items} <= parts["test"]


def test_pairs_with_splits_and_records_outside_them(tmp_path: Path) -> None:
    rows = [
        {"image": "a.png", "captions": ["one", "uno"], "split": "test"},
        {"image": "b.png", "caption": "two", "split": "train"},
        {"image": "c.png", "caption": "three"},
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "broken\n")
    dataset = open_dataset(tmp_path / "pairs.jsonl")
    assert [item.texts for item in dataset.items] == [("one", "uno")]
    assert dataset.notes == (f"2 records that name no split are left out, the first: {tmp_path}/c.png.",)


def test_names_that_are_not_unique_become_uris(tmp_path: Path) -> None:
    rows = [{"image": f"{folder}/a.png", "id": "same", "caption": folder} for folder in ("x", "y")]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [item.id for item in open_dataset(tmp_path / "pairs.jsonl").items] == [
        f"{tmp_path}/x/a.png",
        f"{tmp_path}/y/a.png",
    ]


def test_pictures_without_captions_are_no_data_set(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    with pytest.raises(SourceError, match="no picture has a caption"):
        open_dataset(tmp_path)


def test_part_of_a_data_set_says_so(tmp_path: Path) -> None:
    dataset = open_dataset(make_coco(tmp_path))
    assert dataset.first_images(5) is dataset
    part = dataset.first_images(1)
    assert len(part.items) == 1
    assert part.notes[-1] == "Only the first 1 of 2 images: not comparable with the whole split."
    assert len({dataset.fingerprint, part.fingerprint, dataset.first_captions(1).fingerprint}) == 3
    for bad in (dataset.first_images, dataset.first_captions):
        with pytest.raises(InputError, match="needs 1 or more"):
            bad(0)


def test_same_number_of_other_pictures_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "flickr8k.jsonl"
    folder.write_text(
        "".join(json.dumps({"image": f"{n}.jpg", "caption": "x", "split": "test"}) + "\n" for n in range(1000))
    )
    assert open_dataset(folder).notes == (
        "As many images as the published flickr8k test, but not the same ones: the file names differ.",
    )


@pytest.mark.skipif(not FLICKR8K.exists(), reason="needs the real Flickr8k in ../shared/data/flickr8k")
@pytest.mark.parametrize(("split", "images"), [("train", 6000), ("val", 1000), ("test", 1000), ("extra", 91)])
def test_the_real_flickr8k(split: str, images: int) -> None:
    dataset = open_dataset(FLICKR8K, split)
    assert len(dataset.items) == images
    assert {len(item.texts) for item in dataset.items} == {5}
    assert dataset.notes == ()  # the official number of images, under their official names
