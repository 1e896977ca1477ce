"""Torture runs in one thread, as all that is forked here must."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
