"""What HTCondor is asked for: its plugin takes none of Snakemake's own resources, but others of its own names."""


def on_htcondor(resource, times=1):
    """Return a function that returns what a rule asks for, where HTCondor runs the jobs; elsewhere nothing."""

    def asked(wildcards, input, attempt, threads, rulename, async_run):
        plugin = workflow.executor_plugin
        if plugin is None or plugin.name != "htcondor":
            return None
        for place in (sys.executable, str(BASE), os.getcwd()):
            if " " in place:
                raise WorkflowError(
                    f"ConfigError: {place} has a space in it, which HTCondor's plugin loses: move the project"
                )
        known = {"input": input, "attempt": attempt, "threads": threads}
        known |= {"rulename": rulename, "async_run": async_run}
        # A number stands as it is, a function is asked.
        found = (
            resource.evaluate(wildcards, **known)
            if resource.is_evaluable()
            else resource
        )
        # No more than a slot has, as the profile says.
        return found.constrain(workflow.global_resources.get(found.name)).value * times

    return asked


# Of steps: milestones run where Snakemake does.
for one in workflow.rules:
    given = one.resources
    if one.is_script and {"mem_mb", "runtime"} <= set(given):
        one.resources["htcondor_request_mem_mb"] = on_htcondor(given["mem_mb"])
        # In seconds: what HTCondor itself holds to, and the name that CERN's batch system knows it by.
        for name in ("allowed_execute_duration", "classad_MaxRuntime"):
            one.resources[name] = on_htcondor(given["runtime"], times=60)
        if "gpu" in given:
            one.resources["request_gpus"] = on_htcondor(given["gpu"])
