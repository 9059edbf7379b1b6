"""Write blobs.npz: three clouds of points in the plane, and which cloud each point is from."""

import numpy as np

generator = np.random.default_rng(0)
target = generator.integers(0, 3, size=600)
angle = target * 2.0 * np.pi / 3.0
x = np.stack([np.cos(angle), np.sin(angle)], axis=1) + generator.normal(scale=0.35, size=(600, 2))
np.savez("blobs.npz", x=x, target=target)
