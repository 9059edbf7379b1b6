"""Delivery: what consumers load, made of what the gate passed, and tried."""


rule deliver_header:
    """Deliver the C++ header as a package for CMake and scram, with a golden test that is run."""
    input:
        weights=rules.extract_weights.output.weights,
        header=rules.generate_code.output.header,
        # Checked before it is delivered.
        checked=rules.check_code.output.check,
        cases=rules.make_cases.output.cases,
        validations=for_targets(rules.validate_target.output.validation),
        pins=project("envs/deliver.yaml"),
    output:
        header="<results>/{run}/deliver/cpp/interface/network.hpp",
        golden="<results>/{run}/deliver/cpp/test/golden.hpp",
        test="<results>/{run}/deliver/cpp/test/test_golden.cpp",
        buildfile="<results>/{run}/deliver/cpp/test/BuildFile.xml",
        cmake="<results>/{run}/deliver/cpp/CMakeLists.txt",
        readme="<results>/{run}/deliver/cpp/README.md",
        tried="<results>/{run}/deliver/cpp/tried.json",
    log:
        "<logs>/{run}/deliver_header.log",
    benchmark:
        "<benchmarks>/{run}/deliver_header.tsv"
    wildcard_constraints:
        run=any_of(COVERED),
    conda:
        "../envs/deliver.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_code("deliver_header"),
        targets=export_targets,
        # What was not tried without one is, once there is one.
        compiler=bool(compiler()),
    script:
        "../scripts/deliver_header.py"
