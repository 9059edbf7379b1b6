"""How much rounding to float32 moves a torch module's outputs: Monte Carlo arithmetic in float64, for any network.

Every operation that a float32 implementation would round is evaluated in float64 and disturbed at random by one unit
roundoff of float32, several times over; the spread of the outputs is what rounding does to them, whatever the
network's layers are (D. S. Parker, Monte Carlo Arithmetic, UCLA CSD-970002, 1997; C. Denis et al., Verificarlo, ARITH
2016). Unlike a bound of the worst case it neither grows without limit with depth nor needs a rule for each layer.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn
from torchship.core.errors import ParityError, TrainingError, WitnessError
from torchship.gate.witness.arbiter import PART, SAME, SAMPLES
from torchship.gate.witness.limits import UNIT_FLOAT32, Recorded, Witnessed, unchanged, witnessed
from torchship.gate.witness.noise import NO_NOISE, Noise
from torchship.gate.witness.thresholds import Comparisons, some_of
from torchship.gate.witness.torch_modes import Types, Wide, as_array, plain_kernels
from torchship.gate.witness.torch_rounding import Rounding
from torchship.gate.witness.torch_trace import Comparing, Step, Trace
from torchship.models.module import outputs_of
from torchship.models.user_code import line_of_traceback, user_folder
from torchship.spec.arrays import Array, Feed

# Samples that are evaluated at once, as one larger batch. What depends on weights alone is disturbed once for all of
# them, so there must be some evaluations, too: with four such numbers a spread is hardly ever far too small.
TOGETHER = 8
# Times what rounding does, for what must not depend on it.
EXAGGERATED = 16.0


class TorchArbiter:
    """The eager module with its trained weights: what an exported file must compute.

    Args:
        module: in evaluation mode, float32.
        inputs, outputs: names, in the order of `forward` and of what it returns.
        seed: of the disturbances.
    """

    kind = "torch eager"

    def __init__(self, module: nn.Module, inputs: Sequence[str], outputs: Sequence[str], seed: int = 0) -> None:
        self.inputs, self.outputs, self.seed = list(inputs), list(outputs), seed
        forget_graphs(module)
        self._modules = {torch.float32: module.eval(), torch.float64: copy.deepcopy(module).double().eval()}
        self._noise = Noise(UNIT_FLOAT32, seed)
        self._kept = {name: tensor.detach().clone() for name, tensor in state_of(self._modules[torch.float64]).items()}
        # A single event alone cannot tell whether it is independent of others: that is known from larger batches.
        self._understood = self._independent = False
        # Whether the module computes anything in float64 itself; None until it has been looked at.
        self._doubles: bool | None = None

    def evaluate(self, feed: Feed, dtype: torch.dtype = torch.float64) -> dict[str, Array]:
        """Return the outputs by name, computed in a floating type.

        Raises:
            ParityError: the module does not take these inputs, or not in float64, or gives another number of outputs
                than declared, or what are no tensors.
        """
        return self._call(feed, dtype, Wide(self._seen(feed)) if dtype == torch.float64 else nullcontext())

    def witness(self, feed: Feed, samples: int = SAMPLES) -> dict[str, Witnessed]:
        """Return for each output its value in float64 and float32, and the spread that rounding gives it.

        Raises:
            WitnessError: the arbiter does not understand an operation: disturbed by nothing, it gives something else.
        """
        self.require_understanding(feed)
        exact, single = self.evaluate(feed), self.evaluate(feed, torch.float32)
        disturbed = list(self._disturbed(feed, exact, samples))
        return {
            name: witnessed(exact[name], single[name], (sample[name] for sample in disturbed)) for name in self.outputs
        }

    def record(self, feed: Feed, samples: int = SAMPLES) -> list[Recorded]:
        """Return every value that the module computes on the way in float64, with the spread that rounding gives it."""
        exact = self._traced(feed, None)
        self._noise.start()
        disturbed = [self._traced(feed, self._noise, lines=False) for _ in range(samples)]

        def values(place: int, step: Step) -> Iterator[Array]:
            for sample in disturbed:
                # Where rounding decides how many there are, a value has no spread.
                if len(sample) > place and sample[place].value.shape == step.value.shape:
                    yield sample[place].value

        return [
            Recorded(
                step.operation,
                witnessed(step.value, step.value, values(place, step)),
                step.module,
                step.line,
                step.sources,
                step.between,
                step.moved,
            )
            for place, step in enumerate(exact)
        ]

    def require_understanding(self, feed: Feed) -> None:
        """Check once that an evaluation that is disturbed by nothing is the plain one, bit by bit, on the way as well.

        Raises:
            WitnessError: it is not, with the operation.
        """
        if self._understood or not all(array.size for array in feed.values()):
            return
        plain, undisturbed = self._traced(feed, None), self._traced(feed, NO_NOISE)
        for one, other in zip(plain, undisturbed, strict=False):
            if one.operation != other.operation or not unchanged(one.value, other.value):
                why = (
                    "it draws random numbers in evaluation mode"
                    if one.seeded
                    else ("disturbed by nothing, it gives another result")
                )
                raise WitnessError(
                    f"the arbiter does not understand operation {one.operation!r}{place_of(one)}: {why}, so that no "
                    "limit can be derived; write it by other operations"
                )
        found = self._call(feed, torch.float64, Rounding(NO_NOISE, self._seen(feed)))
        wanted = self.evaluate(feed)
        wrong = [name for name in self.outputs if not unchanged(found[name], wanted[name])]
        if wrong or len(plain) != len(undisturbed):
            raise WitnessError(
                f"the arbiter does not understand the network: evaluated twice, output {(wrong or self.outputs)[0]!r} "
                "differs; does it draw random numbers, or keep something from one call to the next?"
            )
        self._understood = True

    def first_not_finite(self, feed: Feed, samples: int = SAMPLES) -> tuple[Step, str] | None:
        """Return the first step that rounding makes NaN or infinite of finite numbers, and what it was given."""
        self._noise.start()
        for _ in range(samples):
            steps = self._traced(feed, self._noise)
            for step in steps:
                bad = ~np.isfinite(step.value) if step.value.dtype.kind == "f" else np.zeros(1, dtype=bool)
                given = [steps[source].value for source in step.sources]
                if bad.any() and all(np.isfinite(value).all() for value in given if value.dtype.kind == "f"):
                    place = tuple(np.argwhere(bad)[0])
                    numbers = [value[place] for value in given if value.shape == step.value.shape]
                    return step, ", ".join(f"{number:.10g}" for number in numbers)
        return None

    def comparisons(self, feed: Feed, *, disturbed: int = 0) -> Comparisons:
        """Return what the module compares on the way, see `thresholds.Comparer`."""
        tensors = self._tensors(feed, torch.float64)
        noise = Noise(EXAGGERATED * UNIT_FLOAT32, self.seed + disturbed) if disturbed else None
        comparing = Comparing(noise, tensors, self._seen(feed))
        self._evaluate(tensors, torch.float64, comparing)
        return Comparisons(comparing.answers, some_of(comparing.constants))

    def _disturbed(self, feed: Feed, exact: Mapping[str, Array], samples: int) -> Iterator[dict[str, Array]]:
        """Yield the outputs of disturbed evaluations, several at once where events are independent."""
        together = self._together(feed, exact)
        self._noise.start()
        done = 0
        while done < samples:
            size = min(together, samples - done)
            tiles = repeated(feed, size)
            result = self._call(tiles, torch.float64, Rounding(self._noise, self._seen(tiles)))
            if size == 1:
                yield result
            else:
                parts = {name: np.split(array, size) for name, array in result.items()}
                yield from ({name: parts[name][place] for name in parts} for place in range(size))
            done += size

    def _together(self, feed: Feed, exact: Mapping[str, Array]) -> int:
        """Return how many samples can be evaluated as one batch: one unless events are independent of one another."""
        lengths = {len(array) if array.ndim else 0 for array in [*feed.values(), *exact.values()]}
        count = max(lengths)
        most = min(TOGETHER, PART // max(count, 1))
        if len(lengths) != 1 or count == 0 or most < 2:
            return 1
        if count > 1:
            # Beside other events, here the first one many times, each must be what it is.
            chosen = np.concatenate([np.arange(count), np.zeros(count, dtype=np.int64)])
            try:
                beside = self.evaluate({name: array[chosen] for name, array in feed.items()})
            except ParityError:
                return 1
            self._independent = all(
                len(array) == len(chosen)
                and np.allclose(array, exact[name][chosen], rtol=SAME, atol=SAME, equal_nan=True)
                for name, array in beside.items()
            )
        return most if self._independent else 1

    def _traced(self, feed: Feed, noise: Noise | None, *, lines: bool = True) -> list[Step]:
        tensors = self._tensors(feed, torch.float64)
        folder = user_folder(self._modules[torch.float64]) if lines else None
        trace = Trace(noise, tensors, folder, self._seen(feed))
        with trace.path.following(self._modules[torch.float64]):
            self._evaluate(tensors, torch.float64, trace)
        return trace.steps

    def _seen(self, feed: Feed) -> list[tuple[str, bool]]:
        """Return which operations the module computes in float64 on purpose; nothing where there are none."""
        if self._doubles is False:
            return []
        types = Types()
        self._call(feed, torch.float32, types)
        if self._doubles is None and all(array.size for array in feed.values()):
            self._doubles = any(double for _, double in types.seen)
        return types.seen

    def _call(self, feed: Feed, dtype: torch.dtype, mode: AbstractContextManager[object]) -> dict[str, Array]:
        return self._evaluate(self._tensors(feed, dtype), dtype, mode)

    def _tensors(self, feed: Feed, dtype: torch.dtype) -> list[Tensor]:
        """Return the inputs as tensors of their own, since a module may write to them; float64 stays what it is."""
        tensors = [torch.from_numpy(np.array(feed[name], order="C")) for name in self.inputs]
        narrow = [tensor.is_floating_point() and tensor.dtype != torch.float64 for tensor in tensors]
        return [tensor.to(dtype) if convert else tensor for tensor, convert in zip(tensors, narrow, strict=True)]

    def _evaluate(
        self, tensors: Sequence[Tensor], dtype: torch.dtype, mode: AbstractContextManager[object]
    ) -> dict[str, Array]:
        module = self._modules[dtype]
        # Before the module writes to them.
        shapes = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in zip(self.inputs, tensors, strict=True))
        try:
            with torch.no_grad(), plain_kernels(dtype), as_it_was(module, self._kept), mode:
                result = module(*tensors)
        except Exception as error:  # a user's code may raise anything
            line = line_of_traceback(error.__traceback__, user_folder(module))
            why = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
            # What a module asks of its types is not the inputs' fault.
            wide = " in float64, in which the gate evaluates it beside float32" if dtype == torch.float64 else ""
            raise ParityError(
                f"the torch module does not take {shapes}{wide}: {why}{f' at {line}' if line else ''}"
            ) from error
        try:
            values = outputs_of(result)
        except TrainingError as error:
            raise ParityError(str(error)) from error
        if len(values) != len(self.outputs):
            raise ParityError(f"the torch module gives {len(values)} outputs, declared are {', '.join(self.outputs)}")
        if isinstance(mode, Trace):
            mode.end(values)
        # A copy, since an output may be a view of a weight.
        return {name: as_array(value) for name, value in zip(self.outputs, values, strict=True)}


def forget_graphs(module: nn.Module) -> None:
    """Free a module's tensors that are neither parameters nor buffers of what they were computed from.

    torch copies no others. The older torch.nn.utils.weight_norm and spectral_norm keep such a weight between calls, and
    compute it anew in each.
    """
    for inner in module.modules():
        for name, value in vars(inner).items():
            if isinstance(value, Tensor) and not value.is_leaf:
                setattr(inner, name, value.detach())


def repeated(feed: Feed, times: int) -> dict[str, Array]:
    """Return inputs as a batch that is that many times as large."""
    return {name: np.concatenate([array] * times) for name, array in feed.items()} if times > 1 else dict(feed)


def place_of(step: Step) -> str:
    """Say where in the user's code a step is."""
    module = f" of module {step.module!r}" if step.module else ""
    return f"{module} at {step.line}" if step.line else module


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """Return a module's parameters and buffers by name."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


@contextmanager
def as_it_was(module: nn.Module, kept: Mapping[str, Tensor]) -> Iterator[None]:
    """Put back the parameters and buffers that a module writes to while it is evaluated, such as counters."""
    # How torch itself notices that something was written to.
    before = {name: (tensor, tensor._version) for name, tensor in state_of(module).items()}  # noqa: SLF001
    try:
        yield
    finally:
        for name, (tensor, version) in before.items():
            if tensor._version != version:  # noqa: SLF001
                with torch.no_grad():
                    tensor.copy_(kept[name])
