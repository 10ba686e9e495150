"""Every Python that finds this folder on its path plants the bug that its environment names, before anything else."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3]))

from prove.bugs import plant_from_environment

plant_from_environment()
