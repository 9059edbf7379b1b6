"""The basics: facts of tensors, devices and gradients, and how fast the devices are."""


rule check_basics:
    """Compute and check the basic facts."""
    input:
        pins=project("envs/torch.yaml"),
    output:
        tensors="<results>/basics/tensors.json",
        devices="<results>/basics/devices.json",
        autograd="<results>/basics/autograd.json",
    log:
        "<logs>/basics/check_basics.log",
    benchmark:
        "<benchmarks>/basics/check_basics.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=gpus,
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("check_basics"),
    script:
        "../scripts/check_basics.py"


rule write_basics_page:
    """Write the page of the basic facts."""
    input:
        tensors=rules.check_basics.output.tensors,
        devices=rules.check_basics.output.devices,
        autograd=rules.check_basics.output.autograd,
        pins=project("envs/python.yaml"),
    output:
        page=report(
            "<results>/basics/facts.html",
            caption="../report/facts.rst",
            category="Basics",
            labels={"what": "tensors, devices, gradients"},
        ),
    log:
        "<logs>/basics/write_basics_page.log",
    benchmark:
        "<benchmarks>/basics/write_basics_page.tsv"
    conda:
        "../envs/python.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        code=source_code("write_basics_page"),
    script:
        "../scripts/write_basics_page.py"


rule benchmark_device:
    """Time elementwise and matrix products on every device."""
    input:
        pins=project("envs/torch.yaml"),
    output:
        table="<results>/basics/device.csv",
        limits="<results>/basics/limits.csv",
    log:
        "<logs>/basics/benchmark_device.log",
    benchmark:
        "<benchmarks>/basics/benchmark_device.tsv"
    conda:
        "../envs/torch.yaml"
    threads: lookup("basics/threads", within=config)
    resources:
        gpu=gpus,
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        code=source_code("benchmark_device"),
        sizes=lookup("basics/sizes", within=config),
        min_seconds=lookup("basics/min_seconds", within=config),
    script:
        "../scripts/benchmark_device.py"


rule plot_device:
    """Plot the device benchmark with the limits that were measured on the same device."""
    input:
        table=rules.benchmark_device.output.table,
        limits=rules.benchmark_device.output.limits,
        pins=project("envs/plots.yaml"),
    output:
        svg="<results>/basics/device.svg",
        png=report(
            "<results>/basics/device.png",
            caption="../report/device.rst",
            category="Basics",
            labels={"what": "device benchmark"},
        ),
    log:
        "<logs>/basics/plot_device.log",
    benchmark:
        "<benchmarks>/basics/plot_device.tsv"
    conda:
        "../envs/plots.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_code("plot_device"),
        style=lookup("plots", within=config),
    script:
        "../scripts/plot_device.py"
