"""Memory stays bounded, whatever the size of a source."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from PIL import Image

PICTURES = 50_000
# Watched from inside: the peak that the system keeps for a process begins with that of its parent.
PROGRAM = """
import sys, psutil
from limner.collection import Collection

process, peak = psutil.Process(), 0

def watch(progress):
    global peak
    peak = max(peak, process.memory_info().rss)

with Collection(sys.argv[1], model=sys.argv[2]) as collection:
    print(collection.add(sys.argv[3], progress=watch).added, peak)
    print(collection.add(sys.argv[3], progress=watch).unchanged, peak)
"""


def test_fifty_thousand_pictures_in_little_memory(home: Path, bundle: Path) -> None:
    one = io.BytesIO()
    Image.new("RGB", (4, 4)).save(one, "BMP")
    header = one.getvalue()[:-48]
    with tarfile.open(home / "many.tar", "w") as archive:
        for number in range(PICTURES):
            member = tarfile.TarInfo(f"{number:05}.bmp")
            member.size = len(header) + 48
            archive.addfile(member, io.BytesIO(header + bytes([number % 256, number // 256, 7]) * 16))
    command = [sys.executable, "-c", PROGRAM, str(home / "c.limner"), str(bundle), str(home / "many.tar")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert ran.returncode == 0, ran.stderr
    for line in ran.stdout.splitlines():
        count, resident = map(int, line.split())
        assert count == PICTURES
        assert 20e6 < resident < 500e6
