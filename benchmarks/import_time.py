"""How long `import mien` takes over a bare interpreter, and the first use after it."""

import argparse
import statistics
import subprocess
import sys
import time

ROUNDS = 15
CODES = {
    "bare interpreter": "pass",
    "import mien": "import mien",
    "EmotionRecognition()": "import mien; mien.EmotionRecognition()",
}


def seconds(code: str) -> float:
    """The time of one fresh process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def main() -> None:
    """Print the median of each, taken in turns, and its difference from the first."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    times: dict[str, list[float]] = {name: [] for name in CODES}
    for _ in range(ROUNDS):
        for name, code in CODES.items():
            times[name].append(seconds(code))
    bare = statistics.median(times["bare interpreter"])
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:22} {1000 * median:7.1f} ms  {1000 * (median - bare):+7.1f} ms")


if __name__ == "__main__":
    main()
