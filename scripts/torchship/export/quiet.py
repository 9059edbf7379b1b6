"""torch's exporter without what it prints: logs, warnings, tracebacks of one of its ways to trace, graphs as code."""

import contextlib
import importlib
import io
import logging
import warnings
from collections.abc import Iterator

log = logging.getLogger(__name__)

# What these say while torch traces or translates: packages that are not installed, code of torch's own that is
# deprecated, and the failures of one of two ways to trace. Whatever comes of it is checked, and told in one line.
QUIET = (
    "torch.onnx",
    "torch.export",
    "torch._dynamo",
    "torch._guards",
    "torch._subclasses.fake_tensor",
    "torch.fx.experimental.symbolic_shapes",
    "onnxscript",
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep torch's exporter from printing; what it prints goes into the debug log."""
    # On its import torch sets the levels of all its loggers anew.
    importlib.import_module("torch._dynamo")
    levels = {name: logging.getLogger(name).level for name in QUIET}
    printed = io.StringIO()
    try:
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if printed.getvalue():
            log.debug("the exporter printed: %s", printed.getvalue())
