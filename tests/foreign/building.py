"""The foreign networks: declared as in a user's configuration, built with weights that do something."""

import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import yaml
from independent import draw_points
from torchship.models.module import network_class

HERE = Path(__file__).parent
NETWORKS = yaml.safe_load((HERE / "networks.yaml").read_text())
STEPS, EVENTS = 150, 64
# Starts are scaled by this much, so that what comes out is not constant; deep networks would turn chaotic.
GAIN, GAINS = 1.6, {"deep_narrow": 1.0, "large": 1.0, "coupling_flow": 1.0}
# The least standard deviation of what an output is drawn to.
LEAST = 0.2


@dataclass(frozen=True)
class Foreign:
    """A network of the wall: its name, its entry in a configuration, its file, and the module with its weights."""

    name: str
    entry: dict
    file: Path
    module: torch.nn.Module


@cache
def foreign(name: str) -> Foreign:
    """Build a network and train it for some steps of plain torch, so that its weights are no mere start."""
    entry, file = copy.deepcopy(NETWORKS[name]), HERE / "networks" / f"{name}.py"
    torch.manual_seed(1)
    module = network_class(file)()
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() > 1:
                parameter.mul_(GAINS.get(name, GAIN))
    fit(module, entry, STEPS if name != "large" else 40)
    return Foreign(name, entry, file, module.eval())


def fit(module, entry, steps):
    """Take some steps towards smooth functions of the inputs, in training mode: norms see data, weights move."""
    generator = np.random.default_rng(1)
    optimizer = torch.optim.Adam(module.parameters(), lr=5e-3)
    first, teachers = None, {}
    for _ in range(steps):
        feed = draw_points(entry, generator, events=EVENTS)
        outputs = called(module.train(), feed)
        if first is None:
            first = [
                (float(o.detach().mean()), max(LEAST, float(o.detach().std())))
                for o in outputs
                if o.is_floating_point()
            ]
        loss = torch.zeros(())
        floating = [o for o in outputs if o.is_floating_point() and o.requires_grad]
        for number, (output, (mean, std)) in enumerate(zip(floating, first, strict=False)):
            target = mean + std * teach(feed, output, teachers.setdefault(number, np.random.default_rng([2, number])))
            loss = loss + ((output - target) / std).square().mean()
        if not loss.requires_grad or not loss.isfinite():
            continue
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()


def teach(feed, output, generator):
    """Return what an output is drawn to: a wave of each event's mean input, or noise where there are no events."""
    values = next(iter(feed.values()))
    if len(values) != len(output):
        return torch.from_numpy(generator.standard_normal(tuple(output.shape))).float()
    mean = torch.from_numpy(values.reshape(len(values), -1).astype(np.float64)).mean(dim=1)
    mean = (mean - mean.mean()) / (mean.std() + 1e-9)
    waves = torch.arange(1, output[0].numel() + 1)
    return torch.sin(mean[:, None] * waves).reshape(output.shape).float()


def called(module, feed):
    """Call a module on arrays; return its outputs as a list."""
    result = module(*(torch.from_numpy(array.copy()) for array in feed.values()))
    return [result] if isinstance(result, torch.Tensor) else list(result)
