"""Fixtures: one cluster for all tests."""

import pytest
from cluster import Cluster, missing


@pytest.fixture(scope="session")
def cluster():
    absent = missing()
    if absent:
        pytest.skip(f"Slurm is not installed: no {', '.join(absent)}; apt-get install slurm-wlm munge")
    with Cluster() as running:
        yield running
