"""Write jets.npz: a table of events, each with a list of jets of its own length, padded to the longest.

A table of objects mostly comes flat: one row for each jet, and for each event how many rows are its own, as awkward,
uproot and pandas have it. Here such a table is drawn at random; the second half of this file is what is to be done
with a real one.
"""

import numpy as np

EVENTS, MOST = 1200, 10
generator = np.random.default_rng(0)

# The flat table. Signal has more jets, harder ones, and more of them with a high btag.
signal = generator.integers(0, 2, size=EVENTS)
counts = np.minimum(generator.poisson(3.0 + 1.5 * signal), MOST)
of_signal = np.repeat(signal, counts)
pt = np.clip(20.0 + generator.exponential(40.0 + 40.0 * of_signal), 20.0, 500.0)
eta = np.clip(generator.normal(scale=1.2, size=pt.size), -2.5, 2.5)
phi = generator.uniform(-np.pi, np.pi, size=pt.size)
btag = generator.beta(1.0 + 2.0 * of_signal, 3.0)
table = np.stack([pt, eta, phi, btag], axis=1)

# From the table to arrays: `present` is 1 where there is a jet, and `jets` is 0 elsewhere.
present = (np.arange(MOST) < counts[:, np.newaxis]).astype(np.float32)
jets = np.zeros((EVENTS, MOST, table.shape[1]), dtype=np.float32)
jets[present == 1] = table

np.savez("jets.npz", jets=jets, present=present, target=signal[:, np.newaxis].astype(np.float32))
