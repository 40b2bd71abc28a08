"""The harnesses beside the tests, and those of the gateware's, under importlib's import mode."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "hw")]
