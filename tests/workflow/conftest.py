"""One small run of everything, and copies of it to break."""

import shutil

import pytest
from driver import Workflow, copied


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A copy of the project in a folder with a space in its name, after a small `all` in it."""
    folder = copied(tmp_path_factory.mktemp("finished") / "a project")
    workflow = Workflow(folder, folder)
    workflow.log = workflow.run("all", cores=2)
    return workflow


@pytest.fixture
def copy_of_finished(finished, tmp_path):
    """A copy of the finished run, to break."""
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    return Workflow(tmp_path / "copy", tmp_path / "copy")
