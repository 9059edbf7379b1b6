"""Benchmarks: every engine side by side."""


rule benchmark_engines:
    """Time torch, ONNX Runtime and the hand-coded networks side by side."""
    input:
        unpack(witnesses),
        file=timed(rules.export_onnx.output.file),
        cases=rules.make_cases.output.cases,
        # What is timed is right; that the gate was run anew changes no timing.
        validation=ancient(timed(rules.validate_target.output.validation)),
        pins=project("envs/benchmark.yaml"),
    output:
        table="<results>/{run}/benchmark/engines.csv",
    log:
        "<logs>/{run}/benchmark_engines.log",
    benchmark:
        "<benchmarks>/{run}/benchmark_engines.tsv"
    conda:
        "../envs/benchmark.yaml"
    # It computes with one; the others are kept free, since nothing else may run beside a measurement.
    threads: reserved_cores
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=source_code("benchmark_engines"),
        knobs=knobs("onnx", "axes", "benchmark", "seed"),
        # What was not checked or timed without one is, once there is one.
        compiler=bool(compiler()),
    script:
        "../scripts/benchmark_engines.py"


rule plot_benchmark:
    """Plot latency and throughput against the batch size."""
    input:
        table=rules.benchmark_engines.output.table,
        pins=project("envs/plots.yaml"),
    output:
        latency_svg="<results>/{run}/benchmark/latency.svg",
        latency_png=report(
            "<results>/{run}/benchmark/latency.png",
            caption="../report/latency.rst",
            category="{run}",
            labels={"what": "latency"},
        ),
        throughput_svg="<results>/{run}/benchmark/throughput.svg",
        throughput_png=report(
            "<results>/{run}/benchmark/throughput.png",
            caption="../report/throughput.rst",
            category="{run}",
            labels={"what": "throughput"},
        ),
    log:
        "<logs>/{run}/plot_benchmark.log",
    benchmark:
        "<benchmarks>/{run}/plot_benchmark.tsv"
    conda:
        "../envs/plots.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_code("plot_benchmark"),
        style=lookup("plots", within=config),
    script:
        "../scripts/plot_benchmark.py"
