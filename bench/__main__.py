"""`python -m bench`: all targets under the same load, in turn, round after round; then one table."""

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench import hotspots, report
from bench.forms import Form
from bench.load import Outcome
from bench.measures import Reading
from bench.process import free_port
from bench.scenarios import LOADS, MEMORY, WARM_UP, load_for, put
from bench.targets import KINDS, NAMES, NGINX_MISSING, Bare, Gateway, Target, find_nginx

ROUNDS, QUICK_ROUNDS, QUICK_SHARE = 3, 1, 0.4
OPEN_FILES = 16_384


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, help=f"how often each target is visited (default {ROUNDS})")
    parser.add_argument(
        "--quick", action="store_true", help="one round with fewer requests, in about a minute"
    )
    parser.add_argument("--only", default=",".join(NAMES), help="some of the targets: " + ",".join(NAMES))
    parser.add_argument("--json", type=Path, help="write every figure of every round to this file")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    parser.add_argument("--profile", action="store_true", help="show where the time goes instead (py-spy)")
    options = parser.parse_args(arguments)
    options.only = [name for name in NAMES if name in options.only.split(",")]
    if not options.only:
        parser.error("--only names none of " + ", ".join(NAMES))
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    options.share = QUICK_SHARE if options.quick else 1.0
    return options


def make_targets(names: Sequence[str], folder: Path) -> list[Target]:
    """The fake upstream first, since the others need it."""
    port = free_port()
    targets: list[Target] = [Bare(folder, port)]
    targets += [KINDS[name](folder, port) for name in names if name != "bare"]
    return targets


def visit_all(
    targets: Sequence[Target], measured: Sequence[Target], turn: int, share: float
) -> dict[str, Reading]:
    """One round: fresh processes, then each load on each target in turn."""
    order = [*measured[turn % len(measured) :], *measured[: turn % len(measured)]]
    outcomes: dict[str, dict[str, Outcome]] = {target.name: {} for target in order}
    try:
        for target in targets:
            target.start()
        for target in order:
            put(load_for(WARM_UP, target), target)
            outcomes[target.name][MEMORY.name] = put(load_for(MEMORY, target), target)
        for scenario in LOADS:
            for target in order:
                if scenario.form is not Form.CHAT and target.name != Gateway.name:
                    continue
                outcomes[target.name][scenario.name] = put(load_for(scenario, target, share), target)
    finally:
        for target in reversed(targets):
            target.stop()
    return {target.name: Reading(target.started_in_s, outcomes[target.name]) for target in order}


def measure(options: argparse.Namespace, targets: Sequence[Target]) -> bool:
    """Run all rounds and print the table; whether every goal was met."""
    measured = [target for target in targets if target.name in options.only]
    rounds: dict[str, list[Reading]] = {target.name: [] for target in measured}
    began = time.monotonic()
    for turn in range(options.rounds):
        print(f"round {turn + 1} of {options.rounds} ...", file=sys.stderr, flush=True)
        for name, reading in visit_all(targets, measured, turn, options.share).items():
            rounds[name].append(reading)
        for target in measured:
            target.check()
    table, all_met = report.render(rounds)
    plural = "s" if options.rounds > 1 else ""
    took = f"{options.rounds} round{plural} in {time.monotonic() - began:.0f} s"
    print(f"{machine()}; {took}: medians, and ratios with their lowest and highest")
    print(f"\n{table}")
    if options.json:
        found = {"machine": machine(), "rounds": msgspec.to_builtins(rounds)}
        options.json.write_text(json.dumps(found, indent=1))
    return all_met


def profile(targets: Sequence[Target], folder: Path) -> None:
    """Sample the last target: the gateway, if it is among them."""
    try:
        for target in targets:
            target.start()
        for text in hotspots.show(targets[-1], folder):
            print(text, flush=True)
    finally:
        for target in reversed(targets):
            target.stop()


def machine() -> str:
    models = [
        line.partition(": ")[2]
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    today = datetime.now(UTC).date().isoformat()
    return f"{today}; {os.cpu_count()} cores, {models[0] if models else os.uname().machine}"


def main() -> int:
    options = parse()
    if "nginx" in options.only and not find_nginx():
        print(NGINX_MISSING, file=sys.stderr)
        options.only.remove("nginx")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped then, too
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, most), most))
    with tempfile.TemporaryDirectory(prefix="runapi-bench-") as name:
        folder = Path(name)
        if options.profile:
            profile(make_targets(options.only[-1:], folder), folder)
            return 0
        all_met = measure(options, make_targets(options.only, folder))
    return 1 if options.strict and not all_met else 0


if __name__ == "__main__":
    raise SystemExit(main())
