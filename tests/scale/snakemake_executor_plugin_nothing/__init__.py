"""An executor for Snakemake that does nothing but leave the files that jobs promise: for timing all else."""

from pathlib import Path

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

ExecutorSettings = ExecutorSettingsBase
common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
)


class Executor(RealExecutor):
    """Takes a job for done as soon as it has its files."""

    def run_job(self, job):
        info = SubmittedJobInfo(job=job)
        self.report_job_submission(info)
        for one in job.jobs if job.is_group() else [job]:
            for file in [*one.output, *one.log, *filter(None, [one.benchmark])]:
                path = Path(file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("nothing\n")
        self.report_job_success(info)

    def cancel(self):
        pass

    def shutdown(self):
        pass

    def get_exec_mode(self):
        return self.workflow.exec_mode

    def get_python_executable(self):
        return "python"

    @property
    def cores(self):
        return self.workflow.resource_settings.cores
