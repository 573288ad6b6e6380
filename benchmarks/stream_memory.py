"""Whether a stream's memory grows with the length of a film.

A small film of a face is made for one minute and for ten; each is read by a process of its own,
which tells the most memory that it ever held.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

import av
import cv2
import numpy as np

from mien.images import read_image

MINUTES = (1, 10)
FRAMES_PER_SECOND = 5
CODE = """
import json, resource, sys
from mien import EmotionRecognition
frames = EmotionRecognition(threads=1).stream(sys.argv[1], detect_every=int(sys.argv[2]))
count = sum(len(frame.faces) for frame in frames)
print(json.dumps([count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def write_film(path: Path, minutes: int) -> None:
    """A face that moves to and fro, 320x240."""
    with as_file(files("mien") / "assets" / "astronaut.jpg") as picture:
        face = np.ascontiguousarray(read_image(picture)[:240, 100:420])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for place in range(60 * minutes * FRAMES_PER_SECOND):
            shift = np.array([[1, 0, 30 * np.sin(place / 10)], [0, 1, 0]])
            image = np.asarray(cv2.warpAffine(face, shift, (320, 240)), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def main() -> None:
    """Print the faces found and the peak memory of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detect-every", type=int, default=1)
    detect_every = parser.parse_args().detect_every
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for minutes in MINUTES:
            path = Path(folder) / f"{minutes}.mp4"
            write_film(path, minutes)
            command = [sys.executable, "-c", CODE, str(path), str(detect_every)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
            faces, peak_mb = json.loads(answer.stdout)
            peaks.append(peak_mb)
            print(f"{minutes:2} min: {faces} faces, {peak_mb:.1f} MB at most", flush=True)
    print(f"difference: {peaks[-1] - peaks[0]:+.1f} MB")


if __name__ == "__main__":
    main()
