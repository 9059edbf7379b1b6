"""The gate's page says what the evidence says; its picture is the same every time."""

import html

import pytest
from gating import gated
from torchship.gate.verdict import in_words, told_location, verdict_line
from torchship.pages import gate

PLAIN = {
    "tolerance": 1.0, "reason": None, "arbiter": "torch eager", "handcoded": {}, "sha256": "0" * 64,
    "target": {"onnxruntime": "1.10.0"}, "runtime": {"onnxruntime": "1.32.0", "provider": "CPUExecutionProvider"},
}  # fmt: skip


def evidence(name="batch_norm", content=None, **changes):
    return {**gated(name).judge(content, search={"evaluations": 256}), **PLAIN, **changes}


def test_a_file_that_passed_has_its_numbers_on_the_page():
    document = evidence()
    text = gate.write("The gate: mine", {"latest": document}, '<?xml version="1.0"?>\n<svg id="plot"></svg>')
    assert '<p class="good">latest: passed: ' in text
    assert '<figure><svg id="plot">' in text
    for piece in ("ONNX Runtime 1.32.0, optimization disabled, 1 thread", "event by event", "nan in x[0]", "0, 1, 2, 3, 7, 64, 65",
                  "torch eager in float64", "SHA-256 of the file", "0" * 64, "The worst input that a search found", "a batch of 0"):  # fmt: skip
        assert piece in text
    assert f"{document['elements']:,}" in text


def test_a_file_that_failed_is_said_first_with_its_place():
    document = evidence("lost_bias")
    text = gate.write("The gate: mine", {"latest": document})
    assert '<p class="bad">latest: failed: ' in text
    assert "What is wrong with latest" in text
    assert "First differs at node &#x27;node_relu&#x27;" in text
    assert "the file itself says so" in text


def test_doubts_are_said():
    loosened = evidence(tolerance=5.0, reason="a known bug")
    assert "loosened to 5 times the limit: a known bug" in gate.write("t", {"latest": loosened})
    stricter = evidence(tolerance=0.5)
    assert "within 0.5 of the limit" in gate.write("t", {"latest": stricter})
    own = evidence(arbiter="ONNX reference evaluator")
    assert "There are no reference outputs" in gate.write("t", {"latest": own})
    own = evidence(arbiter="ONNX reference evaluator", reference={"y": 0.1})
    assert "The reference from elsewhere agrees on y within 0.1" in gate.write("t", {"latest": own})
    skipped = evidence(not_taken=[{"sizes": {"batch": 0}, "reason": "no"}])
    assert "The network itself does not take batch 0: no" in gate.write("t", {"latest": skipped})
    # What holds for some targets alone stands on the page, too, whichever of them comes first.
    noted = {"latest": evidence(notes=["made so"]), "old": evidence(notes=["made so", "called with batch 1"])}
    text = gate.write("t", noted)
    assert text.count("Made so.") == 1
    assert "old: called with batch 1." in text
    static = evidence(verdict="static only")
    assert "in the target's own ONNX Runtime or, where that cannot be installed, in a newer one" in html.unescape(
        gate.write("t", {"old": static})
    )
    assert '<p class="fair">old: static only, ONNX Runtime 1.10.0 cannot be had here' in gate.write(
        "t", {"old": static}
    )


def test_a_file_that_did_not_open_has_a_page():
    text = gate.write("t", {"latest": evidence(content=b"no model")})
    assert "failed: ONNX Runtime 1.32.0" in text
    assert in_words(None) == "of none"


@pytest.mark.parametrize(
    ("fault", "words"), [("file", "the file itself"), ("runtime", "the runtime computes"), (None, "(Gemm)")]
)
def test_the_place_of_a_failure_in_words(fault, words):
    located = {"node": "n", "operator": "Gemm", "module": "l1", "after": "m", "fault": fault}
    assert words in told_location(located)
    found = {"failures": [{"check": "parity", "place": "here", "message": "wrong"}], "located": located}
    assert verdict_line(found).startswith(
        "here: wrong; first differs at node 'n' (Gemm) of torch module 'l1', after 'm'"
    )
