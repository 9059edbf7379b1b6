"""What the gate said of a file, and whether that is true."""

from dataclasses import dataclass, field

from independent import Truth
from library import Stages


@dataclass(frozen=True)
class Verdict:
    """The gate's word on one file.

    Attributes:
        passed: whether it let the file through.
        check: the first check that failed.
        place: module and node where the file first differs.
        ratio: the largest error in units of the limit.
        said: the first failure in words.
        wide: the widest limit as a share of what its output ranges over.
    """

    passed: bool
    check: str | None
    place: str
    module: str | None
    ratio: float
    said: str
    contract: bool


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
    def false_alarm(self) -> bool:
        """Say whether a right file was stopped, by more than what its target does not take."""
        right = self.truth is not None and self.truth.wrong is None
        return right and any(v is not None and not v.passed and not v.contract for v in self.verdicts.values())

    @property
    def missed(self) -> bool:
        """Say whether a wrong file was let through."""
        wrong = self.truth is not None and self.truth.wrong is not None
        twin = self.twin_truth is not None and self.twin_truth.wrong is not None
        return (wrong and any(v is not None and v.passed for v in self.verdicts.values())) or (
            twin and self.twin_verdict is not None and self.twin_verdict.passed
        )

    @property
    def placed(self) -> bool | None:
        """Say whether the twin was stopped where it is wrong; None where no place was named."""
        if self.twin_verdict is None or self.twin_verdict.module is None:
            return None
        return self.twin_verdict.module in self.twin.where or self.twin_verdict.place in self.twin.where


def verdict(evidence) -> Verdict | None:
    """Return the gate's word from the evidence that it left, None where there is none."""
    if evidence is None:
        return None
    failures, located = evidence["failures"], evidence.get("located")
    worst = evidence.get("worst")
    place = ""
    if located:
        place = f"{located['module']}: {located['node']}" if located["module"] else located["node"]
    first = failures[0] if failures else {"check": None, "place": "", "message": ""}
    said = f"{first['place']}: {first['message']}" if first["place"] else first["message"]
    return Verdict(
        not failures, first["check"], place, located["module"] if located else None,
        float(worst["ratio"]) if worst else 0.0, said, bool(failures) and {f["check"] for f in failures} == {"static"},
    )  # fmt: skip
