"""What the gate said of a file, and whether that is true."""

from dataclasses import dataclass, field

from independent import Truth
from library import Stages


@dataclass(frozen=True)
class Verdict:
    """The gate's word on one file.

    Attributes:
        failures: each as its check and what it says.
        module, node: where the file first differs, None where no place is named.
        lacks: the operation of torch that the file has nothing of, as its name, module and line, where one is named.
        ratio: the largest error in units of the limit.
    """

    failures: tuple[tuple[str, str], ...]
    module: str | None
    node: str | None
    ratio: float
    lacks: dict[str, str] | None = None

    @property
    def modules(self) -> set[str]:
        """Return the torch modules that were named."""
        own = set((self.module or "").split(" + "))
        return own | ({self.lacks["module"]} if self.lacks else set())

    @property
    def passed(self) -> bool:
        return not self.failures

    @property
    def contract(self) -> bool:
        """Say whether a file was only refused as something that its target does not take."""
        return bool(self.failures) and {check for check, _ in self.failures} == {"static"}

    @property
    def words(self) -> str:
        """Say in short what it was."""
        if self.passed:
            return "passed"
        check, said = self.failures[0]
        return f"{check}: {said}"


@dataclass(frozen=True)
class Broken:
    """What is wrong with a broken twin, and which torch modules the gate may name for it; none of a file from elsewhere."""

    what: str
    where: tuple[str, ...] = ()


@dataclass
class Result:
    """All that was found of a network or file, and of its twin."""

    name: str
    stages: Stages
    truth: Truth | None = None
    verdicts: dict[str, Verdict | None] = field(default_factory=dict)
    twin: object = None
    twin_truth: Truth | None = None
    twin_verdict: Verdict | None = None

    @property
    def right(self) -> bool:
        """Say whether the file is right, by the independent check."""
        return self.truth is not None and self.truth.wrong is None

    @property
    def stopped(self) -> str | None:
        """Say at which stage before the gate, or by which failure, the file was stopped on some target; None if never."""
        for stage, said in self.stages.said.items():
            if said and "_twin" not in stage and not stage.startswith(("train", "gate", "declaration", "data")):
                return f"{stage}: {said}"
        return next(
            (v.words for v in self.verdicts.values() if v is not None and not v.passed and not v.contract), None
        )

    @property
    def false_alarm(self) -> bool:
        """Say whether the gate stopped a right file, by more than what its target does not take."""
        return self.right and any(v is not None and not v.passed and not v.contract for v in self.verdicts.values())

    @property
    def twin_stopped(self) -> str | None:
        """Say where the twin was stopped, by something that does not stop the right file as well; None where it was not."""
        said = self.stages.said
        if said.get("cases_twin") and not said.get("cases"):
            return "reference"
        if said.get(f"export_twin/{self.first}") and not said.get(f"export/{self.first}"):
            return "export"
        right = self.verdicts.get(self.first)
        if self.twin_verdict is None:
            return None
        known = {(check, place(said)) for check, said in right.failures} if right is not None else set()
        return next((check for check, said in self.twin_verdict.failures if (check, place(said)) not in known), None)

    @property
    def twin_judged(self) -> bool:
        """Say whether the twin came as far as a verdict of its own."""
        return self.twin_stopped is not None or self.twin_verdict is not None

    @property
    def missed(self) -> bool:
        """Say whether a wrong file was let through."""
        wrong = (
            self.truth is not None
            and not self.right
            and any(v is not None and v.passed for v in self.verdicts.values())
        )
        twin = self.twin_truth is not None and self.twin_truth.wrong is not None
        return wrong or (twin and self.twin_judged and self.twin_stopped is None)

    @property
    def placed(self) -> bool | None:
        """Say whether the twin was stopped where it is wrong; None where no place was named or asked for."""
        if self.twin_verdict is None or self.twin_verdict.module is None or not self.twin.where:
            return None
        return bool(self.twin_verdict.modules & set(self.twin.where))

    @property
    def first(self) -> str:
        """Return the target that the twin was judged for."""
        return next((stage.partition("/")[2] for stage in self.stages.said if stage.startswith("export/")), "latest")


def place(said: str) -> str:
    """Return what a failure says without its numbers, for comparison."""
    return said.partition(": ")[0]


def verdict(evidence) -> Verdict | None:
    """Return the gate's word from the evidence that it left, None where there is none."""
    if evidence is None:
        return None
    located, worst = evidence.get("located"), evidence.get("worst")
    failures = tuple(
        (f["check"], f"{f['place']}: {f['message']}" if f["place"] else f["message"]) for f in evidence["failures"]
    )
    return Verdict(
        failures, located["module"] if located else None, located["node"] if located else None,
        float(worst["ratio"]) if worst else 0.0, located.get("lacks") if located else None,
    )  # fmt: skip
