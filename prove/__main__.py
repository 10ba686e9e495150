"""`python -m prove`: every proof in turn, one table, and a non-zero exit when anything was bent."""

import argparse
import importlib
import os
import secrets
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from shutil import disk_usage
from typing import Protocol, cast

import msgspec

from prove.logs import send_to_standard_error
from prove.report import REPOSITORY, Ground, Line, render, survey
from prove.tiers import Tier
from prove.verdict import Verdict

# The fakes, the model of the ledger and its vectors stand there.
sys.path.insert(1, str(REPOSITORY / "tests"))

NAMES = (
    *("machine", "overspend", "crash_points", "power_cuts", "bank", "tamper", "planted_bugs"),
    *("overspend_http", "kills", "hygiene", "parity"),
)
_SEEDS = 2**32
_MEMORY, _ENOUGH_BYTES = Path("/dev/shm"), 2 * 1024**3  # noqa: S108 - folders of random names are made in it


class Proof(Protocol):
    """A module of this package that is named here: `NAME` is its own name."""

    NAME: str

    def prove(self, tier: Tier, seed: int) -> Verdict:
        """Try so much, all of it decided by the seed."""
        ...


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m prove", description=__doc__)
    parser.add_argument("--tier", type=Tier, choices=list(Tier), default=Tier.CI, help="how much is tried")
    parser.add_argument("--only", default=",".join(NAMES), help="some of the proofs: " + ",".join(NAMES))
    parser.add_argument("--seed", type=int, help="decides every choice; a random one when not given")
    parser.add_argument("--json", type=Path, help="write everything to this file, too")
    options = parser.parse_args(arguments)
    unknown = set(options.only.split(",")) - set(NAMES)
    if unknown:
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}, only " + ", ".join(NAMES))
    options.only = [name for name in NAMES if name in options.only.split(",")]
    options.seed = secrets.randbelow(_SEEDS) if options.seed is None else options.seed
    return options


def run(name: str, tier: Tier, seed: int) -> Line:
    """Run one proof. One that fails by itself proves nothing, so that is a violation, too."""
    began = time.monotonic()
    try:
        proof = cast("Proof", importlib.import_module(f"prove.{name}"))
        verdict = proof.prove(tier, seed)
    except Exception:  # noqa: BLE001 - whatever happened, the other proofs are run and the table is printed
        verdict = Verdict(cases=0, violations=[f"the proof itself failed:\n{traceback.format_exc()}"])
    return Line(name, seed, time.monotonic() - began, verdict)


def work_in_memory() -> None:
    """Put the temporary folders into memory, unless TMPDIR says where: nothing here waits for a real disk to prove it.

    A kill leaves in memory what it would leave in the system's cache; a power cut is worked out from what was recorded.
    """
    if "TMPDIR" not in os.environ and _MEMORY.is_dir() and disk_usage(_MEMORY).free >= _ENOUGH_BYTES:
        os.environ["TMPDIR"] = str(_MEMORY)


def postgresql_version() -> str:
    """The version of the server that the proofs start; `missing` when there is none."""
    from prove.servers import find_version  # noqa: PLC0415 - needs tests/ on the path

    return find_version()


def write_json(path: Path, tier: Tier, ground: Ground, lines: Sequence[Line]) -> None:
    """Write what the report shows, and every violation."""
    found = {
        "tier": tier.value,
        "ground": ground,
        "broken": any(line.is_broken for line in lines),
        "proofs": lines,
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found, enc_hook=str), indent=1) + b"\n")


def main() -> int:
    """Run the proofs that were asked for."""
    options = parse()
    from prove.bugs import plant_from_environment  # noqa: PLC0415 - loads what it plants them in

    planted = plant_from_environment()
    if planted:
        print(f"with a planted bug: {planted}", file=sys.stderr)
    send_to_standard_error()
    work_in_memory()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped and folders removed
    lines: list[Line] = []
    for name in options.only:
        print(f"{name} ...", file=sys.stderr, flush=True)
        lines.append(run(name, options.tier, options.seed))
    ground = survey(postgresql_version())
    print(render(lines, ground, options.tier))
    if options.json:
        write_json(options.json, options.tier, ground, lines)
    return 1 if any(line.is_broken for line in lines) else 0


if __name__ == "__main__":
    raise SystemExit(main())
