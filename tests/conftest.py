"""What several roots of the tests share, under importlib's import mode: the modules beside this file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
