"""Why torch cannot export a network, in one line: the root cause's own words, the axis, the user's line, what to do.

torch wraps an error several times, and says less with each layer; that it took a size for fixed is told without the
line that fixed it. So an export that failed is traced once more, and the conditions on sizes that torch notes on the
way are kept with the line of the user's that was being executed.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn
from torchship.export.hints import advice
from torchship.export.quiet import quiet
from torchship.models.user_code import Line, line_in_text, line_of_stack, line_of_traceback, user_folder
from torchship.spec.axes import BATCH
from torchship.spec.tensor import Tensors

log = logging.getLogger(__name__)

# Of each input that is traced its dynamic axes by place, as torch takes them.
Shapes: TypeAlias = tuple[Mapping[int, torch.export.Dim], ...]

COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# What torch adds to its words for its own developers, and what says nothing.
NOISE = re.compile(
    r"^(For more information|For extended logs|If you suspect|For more debugging|For C\+\+|Caused by|consider using"
    r"|The following call raised|The error above|Suggested fixes|Failed to |This is step|\(Refer to|## )"
)
MOST = 240
SYMBOLIC = "torch.fx.experimental.symbolic_shapes"
SYMBOL = re.compile(r"create_symbol (?P<symbol>\w+) = (?P<size>\d+) for ")
GUARD = re.compile(r"^eval (?!\[guard suppressed\])(?P<condition>.+?) \[guard added\]", re.DOTALL)


class Guards(logging.Handler):
    """The conditions on sizes that torch notes while it traces: each with the user's line that was being executed.

    Attributes:
        sizes: the traced size of each of torch's symbols for a size, such as s77.
        conditions: in order, each with its line.
    """

    def __init__(self, folder: Path | None) -> None:
        super().__init__(logging.INFO)
        self._folder = folder
        self.sizes: dict[str, int] = {}
        self.conditions: list[tuple[str, Line | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Read one of torch's log records."""
        text = record.getMessage()
        if match := SYMBOL.match(text):
            self.sizes[match["symbol"]] = int(match["size"])
        elif match := GUARD.match(text):
            self.conditions.append((match["condition"], line_of_stack(sys._getframe(), self._folder)))  # noqa: SLF001


def explain(
    error: Exception, module: nn.Module, examples: Sequence[torch.Tensor], shapes: Shapes, inputs: Tensors
) -> str:
    """Return in one line why an export failed.

    Args:
        error: what torch raised.
        examples, shapes: what was traced, and with which dynamic axes.
        inputs: the declared inputs by name.
    """
    folder = user_folder(module)
    chain = list(causes(error))
    root = told(chain)
    guards, again = trace_again(module, examples, shapes, folder)
    names = axes_of(guards, examples, inputs)
    everything = " ".join(clean(str(part)) for part in reversed(chain))
    axis = axis_of(str(root), everything, names, guards, sizes_by_axis(examples, inputs))
    line = next(filter(None, (line_of_traceback(part.__traceback__, folder) for part in reversed(chain))), None)
    line = line or line_in_text(everything, folder) or line_of_error(again, folder) or guards_line(guards, axis, names)
    words = spelled(first_words(root), names)
    # The outermost holds a summary of all that is within it; the signatures of operators name every type that there is.
    texts = [words, *(clean(str(part)).split("op_signature")[0] for part in reversed(chain[1:] or chain))]
    return sentence(words, line, next(filter(None, (advice(text, axis) for text in texts)), ""))


def why_other(
    message: str, module: nn.Module, examples: Sequence[torch.Tensor], shapes: Shapes, inputs: Tensors
) -> str:
    """Return what is to be added to the message that a graph is other than declared: the line, and what to do."""
    folder = user_folder(module)
    guards, again = trace_again(module, examples, shapes, folder)
    names = axes_of(guards, examples, inputs)
    frozen = re.search(r"axis '(\w+)' is frozen", message)
    axis = frozen[1] if frozen else None
    line = (guards_line(guards, axis, names) or line_of_error(again, folder)) if frozen else None
    place = f", because of {line}" if line else ""
    what = advice(message, axis)
    return place + (f"; {what}" if what else "")


def sentence(words: str, line: Line | None, what: str) -> str:
    """Return the whole message."""
    place = f" at {line}" if line else ""
    return f"torch cannot export this network{place}: {words}" + (f"; {what}" if what else "")


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from, the outermost first."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def told(chain: Sequence[BaseException]) -> BaseException:
    """Return the error whose words say what is wrong: the one that names what torch lacks, else the innermost."""
    for error in chain:
        if type(error).__name__ in ("DispatchError", "GuardOnDataDependentSymNode", "ConstraintViolationError"):
            return error
    return chain[-1]


def clean(text: str) -> str:
    """Return a text without the codes that colour it."""
    return COLOURS.sub("", text)


def first_words(error: BaseException) -> str:
    """Return what an error says, in one line, without what torch adds for its developers."""
    lines = [line.strip() for line in clean(str(error)).splitlines() if line.strip()]
    points = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    if lines and lines[0].startswith("Constraints violated") and points:
        # The point itself, without what to do about it in torch's own terms.
        lines = [lines[0].split("!")[0] + ": " + points[0].split(". ")[0]]
    kept = [line for line in lines if not NOISE.match(line)] or lines or [""]
    text = " ".join(kept[:2]) if kept[0].endswith(":") else kept[0]
    text = re.sub(r"\s*\(unhinted: .*|\s*See the stack trace.*|\s*\(Size-like symbols: .*", "", text)
    text = re.sub(r"<OpOverload\(op='([\w.]+)'[^>]*>", r"\1", text).rstrip(" .")
    kind = type(error).__name__
    text = text or kind
    if isinstance(error, AttributeError | TypeError | NameError | AssertionError) and kind not in text:
        text = f"{kind}: {text}"
    return text if len(text) <= MOST else text[: MOST - 1] + "…"


def spelled(text: str, names: Mapping[str, str]) -> str:
    """Return a text with the names of axes in place of torch's symbols."""
    text = re.sub(r"L\['?\w+'?\](?:\[\d+\])?\.size\(\)\[\d+\]", lambda match: names.get(match[0], match[0]), text)
    return re.sub(r"\bs\d+\b", lambda match: names.get(match[0], match[0]), text)


def trace_again(
    module: nn.Module, examples: Sequence[torch.Tensor], shapes: Shapes, folder: Path | None
) -> tuple[Guards, Exception | None]:
    """Trace a network once more, and return what was noted of its sizes, and the error that it ended with, if any."""
    logger, guards, failed = logging.getLogger(SYMBOLIC), Guards(folder), None
    # As torch.onnx does, so that sizes of 0 and 1 are like all others.
    settings: Any = torch.fx.experimental._config  # noqa: SLF001
    with quiet(), settings.patch(backed_size_oblivious=True):
        handlers, propagate = logger.handlers[:], logger.propagate
        logger.handlers, logger.propagate = [guards], False
        logger.setLevel(logging.INFO)
        try:
            torch.export.export(module, tuple(examples), dynamic_shapes=shapes, strict=False)
        except Exception as error:
            failed = error
        finally:
            logger.handlers, logger.propagate = handlers, propagate
    log.debug("conditions on sizes: %s", guards.conditions)
    return guards, failed


def line_of_error(error: Exception | None, folder: Path | None) -> Line | None:
    """Return the user's line that an error, or one that it came from, passed."""
    chain = list(causes(error))
    return next(filter(None, (line_of_traceback(part.__traceback__, folder) for part in reversed(chain))), None)


def sizes_by_axis(examples: Sequence[torch.Tensor], inputs: Tensors) -> dict[str, int]:
    """Return the traced size of each dynamic axis."""
    return {
        axis: tensor.shape[place]
        for tensor, declared in zip(examples, inputs.values(), strict=True)
        for place, axis in enumerate(declared.shape)
        if isinstance(axis, str)
    }


def axes_of(guards: Guards, examples: Sequence[torch.Tensor], inputs: Tensors) -> dict[str, str]:
    """Return the axis that each of torch's names for a size stands for: those whose traced size no other axis has."""
    sizes = sizes_by_axis(examples, inputs)
    single = {size: axis for axis, size in sizes.items() if list(sizes.values()).count(size) == 1}
    names = {symbol: single[size] for symbol, size in guards.sizes.items() if size in single}
    for name, tensor in inputs.items():
        for place, axis in enumerate(tensor.shape):
            if isinstance(axis, str):
                names[f"L['{name}'].size()[{place}]"] = axis
    return names


def axis_of(
    words: str, everything: str, names: Mapping[str, str], guards: Guards, sizes: Mapping[str, int]
) -> str | None:
    """Return the dynamic axis that an error is about, None where it does not say."""
    if violated := re.search(r"Constraints violated \((\w+)", words):
        return violated[1].removeprefix("_")
    if outside := re.search(r"(\d+) not in VR\[", everything):
        having = [axis for axis, size in sizes.items() if size == int(outside[1])]
        return having[0] if len(having) == 1 else None
    last = guards.conditions[-1][0] if guards.conditions else ""
    for text in (words, last):
        found = {names[symbol] for symbol in re.findall(r"\bs\d+\b", text) if symbol in names}
        # The batch goes with everything; where another axis is named as well, that one is meant.
        found = found - {BATCH} or found
        if len(found) == 1:
            return found.pop()
    return None


def guards_line(guards: Guards, axis: str | None, names: Mapping[str, str]) -> Line | None:
    """Return the user's line that first put a condition on the size of an axis: an equation, if there is one."""
    about = [
        (condition, line)
        for condition, line in guards.conditions
        if line and any(names.get(symbol) == axis for symbol in re.findall(r"\bs\d+\b", condition))
    ]
    equal = [line for condition, line in about if condition.startswith("Eq(")]
    return next(iter(equal), about[0][1] if about else None)
