"""Where the verdict is decided: everything that the gate knows to ask of an exported file, and what follows from it."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from torchship.data.domain import draw, edge_draws
from torchship.gate import bad_input, decisions, locate
from torchship.gate.case import Case, select
from torchship.gate.documents import CaseEntry, Circumstances, Evidence, Found, Located
from torchship.gate.judge import Failure, Judge, check_signature, shape_failures
from torchship.gate.search import Search
from torchship.gate.session import ExportedFile, Result, Session
from torchship.gate.settings import Matrix
from torchship.gate.verdict import STATIC_ONLY
from torchship.gate.witness.given_reference import GivenReference
from torchship.gate.witness.limits import LEAST
from torchship.gate.witness.onnx_arbiter import GraphArbiter
from torchship.runtimes.frames import RefusedError
from torchship.runtimes.protocol import Runtime
from torchship.spec.axes import BATCH, usual_sizes
from torchship.spec.section import Validate

# Which kind of failure is said first: that it is another file, what is wrong with the numbers, what may have caused it.
ORDER = (
    "changed",
    "parity",
    "search",
    "regression",
    "shape",
    "type",
    "axis",
    "signature",
    "refused",
    "static",
    "promise",
    "bad input",
)


@dataclass
class Examination:
    """An exported file before its judge; after `conduct` what was found, of which `conclude` makes the verdict.

    Attributes:
        runtime: the one that the file must run in.
        cases: those that it is judged on; after `conduct` with the limits that hold.
        validate: the section of the configuration.
        threshold: the working point of a single output.
        seed: of what is drawn.
        others: further runtimes, see `settings.Matrix`.
        kept: the worst inputs of earlier runs, judged again.
        modules: the torch module of each node, by name.
        failures: empty for a file that passes.
        evidence: of validation.json, all but the verdict.
        results: what the default setting gave for each case.
        worst: the inputs to keep, as cases.
    """

    file: ExportedFile
    judge: Judge
    runtime: Runtime
    cases: Sequence[Case]
    validate: Validate
    threshold: float
    seed: int
    others: Sequence[Runtime] = ()
    kept: Sequence[Case] = ()
    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list, init=False)
    evidence: Found = field(default_factory=Found, init=False)
    results: Sequence[Result] = field(default=(), init=False)
    worst: list[Case] = field(default_factory=list, init=False)

    def conduct(self) -> Self:
        """Ask all questions, and return what was found."""
        with ExitStack() as stack:
            try:
                session = stack.enter_context(self.file.opened(self.runtime))
            except RefusedError as refused:
                self.failures.append(Failure("refused", f"ONNX Runtime {self.runtime.version}", str(refused)))
                return self
            self._signature(session)
            self._cases(session)
            self._matrix()
            self.evidence["decisions"] = decisions.compare_decisions(
                self.cases, self.results, next(iter(self.file.outputs)), self.threshold
            )
            self._replay(session)
            self._bad_input(session)
            self._search(session)
            self.evidence["largest"] = largest_errors(self.evidence)
            if any(failure.check in ("parity", "search", "regression") for failure in self.failures):
                self.evidence["located"] = self._locate(session)
        return self

    def conclude(self, static: Sequence[Failure], more: Circumstances) -> Evidence:
        """Return the document of validation.json: the verdict, the failures in order, and all evidence.

        Args:
            static: what is wrong with the file without running it.
            more: further evidence.
        """
        failures = in_order([*self.failures, *static])
        stood_in = more.get("runtime", {}).get("static_only", False)
        return {
            "verdict": "failed" if failures else STATIC_ONLY if stood_in else "passed",
            "failures": [failure.document() for failure in failures],
            "elements": sum(
                found["elements"] for entry in self.evidence.get("cases", []) for found in entry["outputs"].values()
            ),
            **self.evidence,
            **more,
        }

    def _signature(self, session: Session) -> None:
        """Compare inputs and outputs with the declared ones."""
        try:
            self.failures += check_signature(self.runtime.signature(session.number), self.file)
        except RefusedError as refused:
            self.failures.append(Failure("refused", f"ONNX Runtime {self.runtime.version}", str(refused)))

    def _cases(self, session: Session) -> None:
        """Judge all cases at the default setting."""
        self.results = session.run_all(self.cases)
        self.cases = self.judge.settled(self.cases, self.results, separate=self.file.separate)
        judged = self.judge.cases(self.cases, self.results)
        self.failures += [*shape_failures(judged.entries), *judged.failures]
        self.evidence |= {"cases": judged.entries, "worst": judged.worst}

    def _matrix(self) -> None:
        """Judge all cases at the other settings, and in the other runtimes."""
        matrix = Matrix(self.file, self.judge, self.cases, self.results)
        self.evidence["runtimes"], wrong = matrix.run(self.runtime, self.others, self.validate)
        self.failures += wrong

    def _replay(self, session: Session) -> None:
        """Judge the worst inputs of earlier runs again."""
        for case in self.kept:
            found = session.run(case.feed)
            settled = self.judge.look_again(case, found, separate=self.file.separate)
            self.failures += self.judge.case(settled, found, "regression")[1]

    def _bad_input(self, session: Session) -> None:
        """Try bad input beside good input of the usual sizes."""
        inputs, sizes = self.file.inputs, usual_sizes(self.file.inputs, self.file.axes)
        good = draw(inputs, edge_draws(inputs)[0][1], sizes, np.random.default_rng([self.seed, 2]))
        trials = bad_input.Trials(session, self.judge, good, sizes)
        self.evidence["bad_input"], wrong = trials.run(self.validate["promises"])
        self.failures += wrong

    def _search(self, session: Session) -> None:
        """Search for the worst input, from the worst cases on, and keep what was found."""
        wanted = self.validate["search"]
        self.evidence["search"] = None
        # Of inputs that a search would make up a reference alone says nothing.
        if not wanted["evaluations"] or isinstance(self.judge.witnesses.arbiter, GivenReference):
            return
        worst = worst_cases(self.cases, self.evidence["cases"], separate=self.file.separate)
        search = Search(session, self.judge, self.seed)
        found = search.run([case.feed for case in worst], wanted["evaluations"], wanted["seconds"])
        if found is not None:
            self.evidence["search"] = found.document
            self.failures += found.failures
            self.worst = [found.worst] if found.worst is not None else []

    def _locate(self, session: Session) -> Located | None:
        """Find where in the graph the failing case with the smallest inputs goes wrong."""
        arbiter, tolerance = self.judge.witnesses.arbiter, self.judge.tolerance
        failing = [
            case
            for case, entry in zip(self.cases, self.evidence["cases"], strict=True)
            if any(not float(found["ratio"]) <= tolerance for found in entry["outputs"].values())
        ]
        failing = failing or self.worst
        if not failing or isinstance(arbiter, GivenReference):
            return None
        case = min(failing, key=smallest)
        if self.file.separate:
            case = self._failing_event(session, case)
        record = arbiter.record(case.feed)
        located = locate.locate(
            self.file.content, self.runtime, case.feed, record, max(LEAST, *self.judge.factors.values()), self.modules
        )
        # Where the evaluator is the arbiter, it cannot be asked whether the arbiter is right.
        rows = self.evidence["runtimes"] if isinstance(arbiter, GraphArbiter) else None
        return {**located, "fault": locate.fault(self.file.content, case, rows, tolerance)} if located else None

    def _failing_event(self, session: Session, case: Case) -> Case:
        """Return the worst event of a case alone; the first where the case does not run."""
        differences, _ = self.judge.case(case, session.run(case.feed))
        event = max(differences.values(), key=lambda found: found.ratio).event if differences else 0
        return select(case, slice(event, event + 1))


def largest_errors(evidence: Found) -> dict[str, float]:
    """Return by output the largest error in any runtime, at any setting, in units of the limit."""
    found: dict[str, float] = {}
    usual = [
        {name: float(difference["ratio"]) for name, difference in entry["outputs"].items()}
        for entry in evidence["cases"]
    ]
    for ratios in [*usual, *(row.get("ratios", {}) for row in evidence["runtimes"])]:
        for name, ratio in ratios.items():
            found[name] = max(found.get(name, 0.0), ratio)
    return found


def worst_cases(
    cases: Sequence[Case], entries: Sequence[CaseEntry], most: int = 4, *, separate: bool = True
) -> list[Case]:
    """Return the cases with the largest differences, each with the event where it is, if events are independent."""
    scored = [
        (float(difference["ratio"]), difference["event"], case)
        for case, entry in zip(cases, entries, strict=True)
        for difference in entry["outputs"].values()
    ]
    scored.sort(key=lambda item: -item[0])
    return [select(case, slice(event, event + 1)) if separate else case for _, event, case in scored[:most]]


def smallest(case: Case) -> tuple[bool, int]:
    """Order cases by the size of their inputs, those last in which sums, orders and softmaxes are over one or two."""
    others = [size for axis, size in case.about["sizes"].items() if axis != BATCH]
    return min(others, default=3) < 3, sum(array.size for array in case.feed.values())


def in_order(failures: Sequence[Failure]) -> list[Failure]:
    """Return failures with the most telling first."""
    return sorted(failures, key=lambda failure: (ORDER.index(failure.check), -failure.ratio))
