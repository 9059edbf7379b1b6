"""The runtime matrix: one file at several settings and versions, and what differs bit by bit between them."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np
from torchship.gate.case import Case
from torchship.gate.documents import Agreement, SettingRow
from torchship.gate.judge import Failure, Judge
from torchship.gate.session import DEFAULT_SETTING, ExportedFile, Result, Setting
from torchship.gate.witness.limits import ratios
from torchship.runtimes.frames import RefusedError
from torchship.runtimes.protocol import Runtime
from torchship.spec.arrays import Array
from torchship.spec.axes import BATCH
from torchship.spec.section import Validate

# Events of a case that are run one by one.
ONE_BY_ONE = 64

# How the row of the usual setting again is called, with the first events alone, and the row that is no runtime's.
EVENT_BY_EVENT = "event by event"
ARBITERS_OWN = "the arbiter's own float32"


def settings(validate: Validate) -> list[Setting]:
    """Return the settings to try beside the default one."""
    tried = [(level, threads) for level in validate["levels"] for threads in validate["threads"]]
    return [setting for setting in tried if setting != DEFAULT_SETTING]


def spelled(version: str, setting: Setting) -> str:
    """Name a setting."""
    level, threads = setting
    return f"ONNX Runtime {version}, optimization {level}, {threads} thread{'s' if threads > 1 else ''}"


@dataclass(frozen=True)
class Matrix:
    """One file and its cases, with what the default setting gave for them."""

    file: ExportedFile
    judge: Judge
    cases: Sequence[Case]
    default: Sequence[Result]

    def run(
        self, runtime: Runtime, others: Sequence[Runtime], validate: Validate
    ) -> tuple[list[SettingRow], list[Failure]]:
        """Run the cases at every setting, in other versions, and event by event; return a row for each, and failures.

        A case that fails at the default setting is not said again for each of the others.

        Args:
            others: further runtimes, each run at the default setting; newer versions read older files, and must agree.
        """
        rows, failures = [], []
        known = {failure.place for failure in self.judge.cases(self.cases, self.default).failures}
        plan = [(runtime, setting) for setting in settings(validate)]
        for one, setting in [*plan, *[(other, DEFAULT_SETTING) for other in others]]:
            row, wrong = self.at(one, setting)
            rows.append(row)
            failures += [
                Failure(failure.check, f"{row['setting']}, {failure.place}", failure.message, failure.ratio)
                for failure in wrong
                if failure.place not in known
            ]
        if self.file.separate:
            row, wrong = self.one_by_one(runtime, known)
            rows.append(row)
            failures += wrong
        single = [case.single for case in self.cases]
        rows.append({"setting": ARBITERS_OWN, "refused": None, **against(single, self.default, self.cases)})
        return rows, failures

    def at(self, runtime: Runtime, setting: Setting) -> tuple[SettingRow, list[Failure]]:
        """Run the cases at one setting."""
        name = spelled(runtime.version, setting)
        try:
            with self.file.opened(runtime, setting) as session:
                results = session.run_all(self.cases)
                cases = self.judge.settled(self.cases, results, separate=self.file.separate)
        except RefusedError as refused:
            return {"setting": name, "refused": str(refused)}, [Failure("refused", "", str(refused))]
        row: SettingRow = {
            "setting": name,
            "refused": first_refusal(results),
            **against(results, self.default, cases),
        }
        return row, self.judge.cases(cases, results).failures

    def one_by_one(self, runtime: Runtime, known: Container[str]) -> tuple[SettingRow, list[Failure]]:
        """Run events one by one that were run in larger batches."""
        name = f"{spelled(runtime.version, DEFAULT_SETTING)}, {EVENT_BY_EVENT}"
        parts, results, batches, failures = [], [], [], []
        with self.file.opened(runtime) as session:
            for case, batch in self.larger():
                part, found = session.run_one_by_one(case, ONE_BY_ONE)
                part = self.judge.look_again(part, found, separate=True)
                if case.place not in known:
                    failures += [
                        Failure(item.check, f"{name}, {item.place}", item.message, item.ratio)
                        for item in self.judge.case(part, found)[1]
                    ]
                parts.append(part)
                results.append(found)
                batches.append({output: array[:ONE_BY_ONE] for output, array in batch.items()})
        return {"setting": name, "refused": first_refusal(results), **against(results, batches, parts)}, failures

    def larger(self) -> list[tuple[Case, dict[str, Array]]]:
        """Return the largest case of each origin with what came out: another size of the same draws adds nothing."""
        found: dict[str, tuple[Case, dict[str, Array]]] = {}
        ordered = sorted(zip(self.cases, self.default, strict=True), key=lambda pair: -pair[0].about["sizes"][BATCH])
        for case, batch in ordered:
            if not isinstance(batch, str) and case.about["sizes"][BATCH] > 1:
                found.setdefault(case.about["origin"], (case, batch))
        return list(found.values())


def first_refusal(results: Sequence[Result]) -> str | None:
    """Return what the runtime said of the first inputs that it refused, if it refused some."""
    return next((result for result in results if isinstance(result, str)), None)


def against(results: Sequence[Result], default: Sequence[Result], cases: Sequence[Case]) -> Agreement:
    """Count the outputs whose bits differ from the default setting's, and give the largest differences.

    Returns:
        `elements` compared, how many are `different`, the largest difference between both in units in the last place
        (`ulp`), the largest from float64 in units of the limit (`ratio`), and the same by output (`ratios`).
    """
    elements, different, ulp = 0, 0, 0.0
    largest: dict[str, float] = {}
    for found, other, case in zip(results, default, cases, strict=True):
        if isinstance(found, str) or isinstance(other, str):
            continue
        for name, exact in case.exact.items():
            mine, theirs = found.get(name), other.get(name)
            if mine is None or theirs is None or mine.shape != theirs.shape or mine.shape != exact.shape:
                continue
            unequal = (mine != theirs) & ~((mine != mine) & (theirs != theirs))  # noqa: PLR0124 -- NaN, of any type
            elements += mine.size
            different += int(unequal.sum())
            if unequal.any() and np.issubdtype(mine.dtype, np.floating):
                with np.errstate(all="ignore"):
                    delta = np.abs(mine.astype(np.float64) - theirs.astype(np.float64))
                    steps = delta[unequal] / np.spacing(np.abs(theirs[unequal]))
                # NaN on one side is as far as it gets.
                ulp = max(ulp, float(np.where(np.isnan(steps), np.inf, steps).max()))
            if mine.size:
                found_ratio = float(ratios(mine, exact, case.limit[name]).max())
                largest[name] = max(largest.get(name, 0.0), found_ratio)
    return {
        "elements": elements,
        "different": different,
        "ulp": ulp,
        "ratio": max(largest.values(), default=0.0),
        "ratios": largest,
    }
