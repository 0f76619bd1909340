#!/usr/bin/env python3
"""Prints the ratios of the last `cargo bench` here: medians of ours against theirs, per base.

usage: ratios.py [TARGET_DIR/criterion]
"""
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/criterion")


def seconds_per_byte(path):
    median = json.loads((path / "new" / "estimates.json").read_text())["median"]["point_estimate"] / 1e9
    done = json.loads((path / "new" / "benchmark.json").read_text())["throughput"]["Bytes"]
    return median / done


groups = {}
for file in sorted(folder.glob("*/*/new/benchmark.json")):
    about = json.loads(file.read_text())
    groups.setdefault(about["group_id"], {})[about["function_id"]] = seconds_per_byte(file.parent.parent)
if not groups:
    sys.exit(f"{folder}: no results; run cargo bench first")
print(f"{'work':55} {'ours':>12} {'other':>12} {'ratio':>7}  other is")
for name, found in groups.items():
    for ours in [work for work in found if f"tokenizers {work}" in found]:
        a, b = found[ours], found[f"tokenizers {ours}"]
        print(f"{name + ' ' + ours:55} {1e-6 / a:9.1f} Mb/s {1e-6 / b:7.2f} Mb/s {b / a:7.1f}  tokenizers crate")
        if f"tokenizers 1.0 {ours}" in found:
            b = found[f"tokenizers 1.0 {ours}"]
            print(f"{name + ' ' + ours:55} {1e-6 / a:9.1f} Mb/s {1e-6 / b:7.2f} Mb/s {b / a:7.1f}  its 1.0 candidate")
    for other in [work for work in found if work == "copy" or work.startswith("rolling")]:
        a, b = found["ids"], found[other]
        print(f"{name + ' ids':55} {1e-6 / a:7.0f} MB/s {1e-6 / b:9.0f} MB/s {b / a:7.2f}  {other}")
