"""Compare the arbiter of files with ONNX Runtime on all cases, and write docs/onnx-operators.md: `make operators`."""

import argparse
import logging
import sys
import warnings
from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
from comparing import compare
from known import KNOWN, known
from operator_cases import backend_cases, stored_cases
from own_cases import own_cases
from replaced import table

PAGE = Path(__file__).resolve().parents[2] / "docs/onnx-operators.md"
INTRO = """# Operators of ONNX

The arbiter of a file that was made elsewhere is the reference evaluator of the `onnx` package, in float64. Some of its
operators are wrong, missing, or computed in float32; those below are replaced (`scripts/torchship/gate/witness/onnx/`). Besides,
an attribute that is left out has the default of the file's own operator set, where the evaluator takes the newest one's.

Each operator in each operator set from 7 on is compared with ONNX Runtime's CPU kernels: values within 12 spreads, no
spread where an operator rounds nothing, and digits that no float32 holds. `make operators` does it with the backend tests
of the `onnx` package and with cases for old operator sets (`tests/operators/own_cases.py`); a small form is in `make test`.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=16)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    counts: dict[str, Counter[str]] = {}
    wrong = []
    for source, cases in (("backend tests of nodes", backend_cases()), ("models of the onnx package", stored_cases()),
                          ("cases of one's own", own_cases())):  # fmt: skip
        counts[source] = Counter()
        for case in cases:
            outcome = compare(case, options.samples)
            verdict = "known" if known(case, outcome) else outcome.verdict
            counts[source][verdict] += 1
            if verdict not in ("agree", "known", "runtime", "neither"):
                wrong.append(f"{case.operator} {case.opset} {case.name}: {verdict} {outcome.ratio:.3g} {outcome.words}")
    rows = [
        f"| {source} | {found.total():,} | {found['agree']:,} | {found['known']} | {found['runtime'] + found['neither']} | "
        f"{found.total() - sum(found[key] for key in ('agree', 'known', 'runtime', 'neither'))} |"
        for source, found in counts.items()
    ]
    text = "\n".join([
        INTRO,
        f"onnx {onnx.__version__}, ONNX Runtime {onnxruntime.__version__}:\n",
        "| cases | all | agree | part for a known reason | ONNX Runtime does not take them | part |",
        "|---|--:|--:|--:|--:|--:|", *rows, "",
        "## Replaced\n", table(), "",
        "## Where both part\n", "| operator | why |", "|---|---|",
        *[f"| {operator.replace('::', ' ')} | {one.why} |" for (operator, _), one in sorted(KNOWN.items(), key=lambda item: item[0])], "",
        "Not covered: Scan of opset 8 and MaxRoiPool (the latter by ONNX Runtime's double kernel), operators that draw random",
        "numbers, and the quantised ones at ties, where float32 and float64 round to different integers.",
    ])  # fmt: skip
    PAGE.write_text(text + "\n")
    sys.stdout.write("\n".join([*rows, *wrong]) + "\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
