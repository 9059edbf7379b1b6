"""Fixtures: one cluster for all tests."""

import pytest
from cluster import Cluster, missing
from support import want


@pytest.fixture(scope="session")
def cluster():
    absent = missing()
    want(not absent, f"Slurm is not installed: no {', '.join(absent)}; apt-get install slurm-wlm munge")
    with Cluster() as running:
        yield running
