from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

# The benchmarks are no part of the package: they are run from the root of the repository.
sys.path.insert(0, str(ROOT))
