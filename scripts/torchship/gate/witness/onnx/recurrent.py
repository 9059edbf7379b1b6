"""RNN, GRU and LSTM with all of their inputs and attributes, disturbed step by step.

The reference evaluator ignores sequence lengths, activations, clipping and, for LSTM, directions.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from torchship.gate.witness.onnx.activations import Function, named
from torchship.gate.witness.onnx.steps import Operator
from torchship.spec.arrays import Array

# Inputs after X, W and R, which are optional.
Optional = Array | None
# W, R and the bias of one direction, and the peepholes of LSTM.
Weights = tuple[Array, Array, Array, Optional]


class Recurrent(Operator):
    """What the three have in common: directions, lengths, layout.

    Shapes: X [steps, batch, inputs], W [directions, gates * hidden, inputs], states [directions, batch, hidden].
    """

    gates = 1
    defaults: Sequence[str] = ("Tanh",)
    states = 1

    def _run(
        self,
        x: Array,
        w: Array,
        r: Array,
        b: Optional = None,
        lengths: Optional = None,
        *more: Optional,
        **attributes: Any,
    ) -> tuple[Array, ...]:
        initial = [*more[: self.states], None, None][: self.states]
        peepholes = more[self.states] if len(more) > self.states else None
        turned = attributes.get("layout", 0) == 1
        if turned:
            x = np.swapaxes(x, 0, 1)
            initial = [None if state is None else np.swapaxes(state, 0, 1) for state in initial]
        steps, batch, _ = x.shape
        hidden = r.shape[-1]
        self.clip, self.options = attributes.get("clip"), attributes
        direction = attributes.get("direction") or "forward"
        counts = np.full(batch, steps) if lengths is None else np.asarray(lengths)
        outputs, finals = [], []
        for place, backwards in enumerate(
            {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
        ):
            start = [np.zeros((batch, hidden), x.dtype) if state is None else state[place] for state in initial]
            bias = np.zeros(2 * self.gates * hidden, x.dtype) if b is None else b[place]
            weights = (w[place], r[place], bias, None if peepholes is None else peepholes[place])
            output, final = self._one(x, weights, start, counts, self._functions(place), backwards=backwards)
            outputs.append(output)
            finals.append(final)
        y = np.stack(outputs, 1)
        last = [np.stack(parts, 0) for parts in zip(*finals, strict=True)]
        if turned:
            y, last = y.transpose(2, 0, 1, 3), [state.swapaxes(0, 1) for state in last]
        return tuple(value.astype(x.dtype) for value in [y, *last][: len(self.onnx_node.output)])

    def _functions(self, place: int) -> list[Function]:
        number = len(self.defaults)
        names = list(self.options.get("activations") or [])
        names = names[place * number : (place + 1) * number] or list(self.defaults)
        # Alpha and beta are given in the order of the functions, to those alone that take one.
        found = []
        taken = {"alpha": 0, "beta": 0}
        every = list(self.options.get("activations") or [])
        for spot, name in enumerate(every[: (place + 1) * number] or names):
            values: dict[str, float | None] = {}
            for key, users in (("alpha", TAKE_ALPHA), ("beta", TAKE_BETA)):
                given = self.options.get(f"activation_{key}") or []
                values[key] = None
                if name.lower() in users and taken[key] < len(given):
                    values[key] = given[taken[key]]
                    taken[key] += 1
            if not every or spot >= place * number:
                found.append(named(name, values["alpha"], values["beta"]))
        return found

    def _one(
        self,
        x: Array,
        weights: Weights,
        start: list[Array],
        counts: Array,
        functions: list[Function],
        *,
        backwards: bool,
    ) -> tuple[Array, list[Array]]:
        steps = len(x)
        output = np.zeros((steps, *start[0].shape), x.dtype)
        states = start
        for step in range(steps):
            active = (step < counts)[:, None]
            # Backwards, each event begins at its own last entry.
            position = np.where(step < counts, counts - 1 - step, 0) if backwards else np.full(len(counts), step)
            entry = x[position, np.arange(len(counts))]
            new = self.step(entry, weights, states, functions)
            states = [np.where(active, fresh, old) for fresh, old in zip(new, states, strict=True)]
            rows = np.flatnonzero(step < counts)
            output[position[rows], rows] = states[0][rows]
        return output, states

    @abstractmethod
    def step(self, x: Array, weights: Weights, states: list[Array], functions: list[Function]) -> list[Array]:
        """Return the states after one entry [batch, inputs]."""

    def activated(self, function: Function, value: Array) -> Array:
        """Return an activation of a clipped value."""
        if self.clip:
            value = np.clip(value, -self.clip, self.clip)
        return self.a(self.r(function(value)))


class RNN(Recurrent):
    """H = f(X W + H R + b)."""

    def step(self, x: Array, weights: Weights, states: list[Array], functions: list[Function]) -> list[Array]:
        """Return the states after one entry [batch, inputs]."""
        w, r, bias, _ = weights
        here, there = np.split(bias, 2)
        total = self.product(x, w.T) + self.product(states[0], r.T) + self.r(self.r(here) + there)
        return [self.activated(functions[0], self.r(total))]


class GRU(Recurrent):
    """Gates z, r, h."""

    gates = 3
    defaults = ("Sigmoid", "Tanh")

    def step(self, x: Array, weights: Weights, states: list[Array], functions: list[Function]) -> list[Array]:
        """Return the states after one entry [batch, inputs]."""
        w, r, bias, _ = weights
        (w_z, w_r, w_h), (r_z, r_r, r_h) = np.split(w, 3), np.split(r, 3)
        b_z, b_r, b_h, s_z, s_r, s_h = np.split(bias, 6)
        before = states[0]
        update = self.activated(
            functions[0], self.r(self.product(x, w_z.T) + self.product(before, r_z.T) + self.r(b_z) + self.r(s_z))
        )
        reset = self.activated(
            functions[0], self.r(self.product(x, w_r.T) + self.product(before, r_r.T) + self.r(b_r) + self.r(s_r))
        )
        if self.options.get("linear_before_reset"):
            inner = self.r(reset * self.r(self.product(before, r_h.T) + self.r(s_h)))
            total = self.product(x, w_h.T) + inner + self.r(b_h)
        else:
            total = self.product(x, w_h.T) + self.product(self.r(reset * before), r_h.T) + self.r(b_h) + self.r(s_h)
        proposed = self.activated(functions[1], self.r(total))
        return [self.r(self.r((1 - update) * proposed) + self.r(update * before))]


class LSTM(Recurrent):
    """Gates i, o, f, c; states H and C; peepholes i, o, f."""

    gates = 4
    defaults = ("Sigmoid", "Tanh", "Tanh")
    states = 2

    def step(self, x: Array, weights: Weights, states: list[Array], functions: list[Function]) -> list[Array]:
        """Return the states after one entry [batch, inputs]."""
        w, r, bias, peepholes = weights
        here, there = np.split(bias, 2)
        hidden, cell = states
        total = self.r(self.product(x, w.T) + self.product(hidden, r.T) + self.r(self.r(here) + there))
        enter, leave, forget, proposed = np.split(total, 4, axis=-1)
        p_i, p_o, p_f = (0, 0, 0) if peepholes is None else np.split(peepholes, 3)
        enter = self.activated(functions[0], self.r(enter + self.r(p_i * cell)))
        if self.options.get("input_forget"):
            kept = 1 - enter
        else:
            kept = self.activated(functions[0], self.r(forget + self.r(p_f * cell)))
        cell = self.r(self.r(kept * cell) + self.r(enter * self.activated(functions[1], proposed)))
        leave = self.activated(functions[0], self.r(leave + self.r(p_o * cell)))
        # What leaves the cell is not clipped.
        return [self.r(leave * self.a(self.r(functions[2](cell)))), cell]


TAKE_ALPHA = frozenset({"affine", "leakyrelu", "thresholdedrelu", "scaledtanh", "hardsigmoid", "elu"})
TAKE_BETA = frozenset({"affine", "scaledtanh", "hardsigmoid"})
OPERATORS: dict[str, type[Operator]] = {"RNN": RNN, "GRU": GRU, "LSTM": LSTM}
