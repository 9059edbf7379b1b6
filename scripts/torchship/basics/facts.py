"""The basic facts of tensors, devices and automatic differentiation, each computed and checked here and now.

They are those that the PyTorch chapter of the CMS machine-learning documentation shows.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torchship.models.devices import all_devices, describe_device
from torchship.spec.model import Device


@dataclass(frozen=True)
class Fact:
    """One statement with the code that was run, what it gave, and whether that is what was expected."""

    statement: str
    code: str
    expected: object
    found: object

    @property
    def holds(self) -> bool:
        """Whether what was found is what was expected."""
        return bool(self.expected == self.found)

    def document(self) -> dict[str, object]:
        """Return the fact as JSON can hold it."""
        return {**asdict(self), "holds": self.holds}


def equal(statement: str, left: str, right: str, names: dict[str, Tensor]) -> Fact:
    """Return the fact that two expressions on named tensors have equal values."""
    found = torch.equal(eval(left, {}, names), eval(right, {}, names))  # noqa: S307 -- our own expressions, below
    return Fact(statement, f"torch.equal({left}, {right})", expected=True, found=found)


def tensor_facts() -> list[Fact]:
    """Return the facts about views and products, on a 2 x 2 matrix and a vector."""
    m1, m2 = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[5.0, 6.0], [7.0, 8.0]])
    x = torch.tensor([1.0, -1.0])
    names = {"m1": m1, "m2": m2, "x": x}
    column, row = m1.view(-1, 1), m1.unsqueeze(0)
    shares = column.data_ptr() == m1.data_ptr()
    return [
        Fact("view(-1, 1) makes a column", "m1.view(-1, 1)", [[1.0], [2.0], [3.0], [4.0]], column.tolist()),
        Fact("a view shares its memory", "m1.view(-1, 1).data_ptr() == m1.data_ptr()", expected=True, found=shares),
        Fact("transpose swaps two axes", "m1.transpose(0, 1)", [[1.0, 3.0], [2.0, 4.0]], m1.transpose(0, 1).tolist()),
        Fact("unsqueeze adds an axis of one", "m1.unsqueeze(0).shape", [1, 2, 2], list(row.shape)),
        Fact("squeeze removes it again", "m1.unsqueeze(0).squeeze(0).shape", [2, 2], list(row.squeeze(0).shape)),
        Fact("@ is the matrix product", "m1 @ m2", [[19.0, 22.0], [43.0, 50.0]], (m1 @ m2).tolist()),
        equal("mm is the same", "m1 @ m2", "m1.mm(m2)", names),
        Fact("* is elementwise, not a matrix product", "m1 * m2", [[5.0, 12.0], [21.0, 32.0]], (m1 * m2).tolist()),
        equal("@ with a vector is mv", "m1 @ x", "m1.mv(x)", names),
        Fact("its value", "m1.mv(x)", [-1.0, -1.0], m1.mv(x).tolist()),
        equal("t() is transpose(0, 1)", "m1.t()", "m1.transpose(0, 1)", names),
    ]


def device_facts() -> list[Fact]:
    """Return the facts about where tensors live, on this machine."""
    x = torch.ones(2, 2)
    facts = [
        Fact("a tensor starts on the CPU", "torch.ones(2, 2).device.type", "cpu", x.device.type),
        Fact("its default type is float32", "torch.ones(2, 2).dtype", "torch.float32", str(x.dtype)),
        Fact("its layout is row by row", "torch.ones(2, 2).stride()", [2, 1], list(x.stride())),
    ]
    if torch.cuda.is_available():
        moved = x.to("cuda")
        facts += [
            Fact("to('cuda') moves it to the GPU", "x.to('cuda').device.type", "cuda", moved.device.type),
            equal("the way back changes nothing", "moved.cpu()", "x", {"moved": moved, "x": x}),
        ]
    return facts


def autograd_facts() -> list[Fact]:
    """Return the facts about f = a^T X b: its value, and both gradients against the analytic ones."""
    matrix = torch.ones(2, 2)
    a = torch.tensor([[0.5], [1.0]], requires_grad=True)
    b = torch.tensor([[0.5], [-2.0]], requires_grad=True)
    f: Tensor = a.T @ matrix @ b
    f.backward()  # type: ignore[no-untyped-call]
    assert a.grad is not None  # noqa: S101 -- backward() has just made them
    assert b.grad is not None  # noqa: S101
    names = {"X": matrix, "a": a.detach(), "b": b.detach(), "grad_a": a.grad, "grad_b": b.grad}
    return [
        Fact("f = aᵀXb with X of ones, a = (0.5, 1), b = (0.5, -2)", "f.item()", -2.25, f.item()),
        Fact("its gradient to a", "a.grad", [-1.5, -1.5], a.grad.flatten().tolist()),
        equal("is X b, that is bᵀXᵀ transposed", "grad_a", "X @ b", names),
        Fact("its gradient to b", "b.grad", [1.5, 1.5], b.grad.flatten().tolist()),
        equal("is Xᵀa, that is aᵀX transposed", "grad_b", "X.T @ a", names),
    ]


def environment() -> list[Device]:
    """Describe the devices of this machine."""
    return [describe_device(device) for device in all_devices()]
