"""What has to be known of an operation of torch: its rule, and what it writes to, read from its schema."""

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import torch
from torch._ops import OpOverload
from torchship.gate.witness.op_rules import TORCH_RULES, Rule

# What an operation is called with: tensors, numbers, lists of such, types.
Arguments: TypeAlias = tuple[Any, ...]
Named: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """What has to be known of one overload of an operation.

    Attributes:
        name: of the function, without the marks of its form: `index_put` for `_index_put_impl_`.
        rule: see `op_rules.Rule`; some arguments change it, see `rule_of`.
        view: whether it gives or makes a view, and computes nothing.
        written: the arguments that it writes to, by place or by name.
        out: those of them whose former content it does not read.
        seeded: whether it draws random numbers.
    """

    name: str
    rule: Rule
    view: bool
    written: frozenset[int | str]
    out: frozenset[int | str]
    seeded: bool


def base_name(name: str) -> str:
    """Return the name of the function that is behind an operation's: `relu` for `relu_`, `softmax` for `_softmax`."""
    return name.strip("_").removesuffix("_impl")


@cache
def operation(func: OpOverload) -> Operation:
    """Return what has to be known of an overload, read from its schema once."""
    name, schema = base_name(func.overloadpacket.__name__), func._schema  # noqa: SLF001 -- torch has no public way
    written, out = set(), set()
    for place, argument in enumerate(schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            key = argument.name if argument.kwarg_only else place
            written.add(key)
            if argument.is_out:
                out.add(key)
    pointwise = Rule.POINTWISE if torch.Tag.pointwise in func.tags else Rule.SUM
    return Operation(
        name=name,
        rule=TORCH_RULES.get(name, pointwise),
        view=func.is_view or torch.Tag.inplace_view in func.tags,
        written=frozenset(written),
        out=frozenset(out),
        seeded=torch.Tag.nondeterministic_seeded in func.tags,
    )


def rule_of(done: Operation, args: Arguments, kwargs: Named) -> Rule:
    """Return how an operation rounds with these arguments."""

    def argument(name: str, place: int, default: Any = None) -> Any:
        return kwargs.get(name, args[place] if len(args) > place else default)

    rule = done.rule
    match done.name:
        case "index_put" | "put":
            rule = Rule.SUM if argument("accumulate", 3) else Rule.EXACT
        case "scatter":
            rule = Rule.SUM if "reduce" in kwargs else Rule.EXACT
        case "scatter_reduce" | "index_reduce":
            rule = Rule.EXACT if argument("reduce", 4) in ("amax", "amin") else Rule.SUM
        case "segment_reduce":
            rule = Rule.EXACT if args[1] in ("max", "min") else Rule.SUM
        case "add" | "sub" | "rsub":
            rule = Rule.POINTWISE if argument("alpha", 2, 1) == 1 else Rule.SUM
        case "div" | "divide" if kwargs.get("rounding_mode") is not None:
            rule = Rule.STEPPED
        case "round" if kwargs.get("decimals"):
            rule = Rule.SUM
        case "sort" if kwargs.get("stable"):
            rule = Rule.EXACT
    return rule
