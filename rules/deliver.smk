"""Delivery: what consumers load, made of what the gate passed, and tried."""


rule deliver_header:
    """Deliver the C++ header as a package for CMake and scram, with a golden test that is run."""
    input:
        shipped="<results>/{run}/model/model.json",
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
        knobs=knobs("axes"),
        targets=export_targets,
        # What was not tried without one is, once there is one.
        compiler=bool(compiler()),
    script:
        "../scripts/deliver_header.py"


rule deliver_cmssw:
    """Deliver a validated file as a package for CMSSW, compiled against stand-ins, with a golden test that is run."""
    input:
        shipped="<results>/{run}/model/model.json",
        file=rules.export_onnx.output.file,
        exported=rules.export_onnx.output.report,
        cases=rules.make_cases.output.cases,
        validation=rules.validate_target.output.validation,
        runtimes=runtimes_for,
        pins=project("envs/deliver.yaml"),
    output:
        model="<results>/{run}/deliver/cmssw/{target}/data/model.onnx",
        model_file="<results>/{run}/deliver/cmssw/{target}/interface/ModelFile.h",
        interface="<results>/{run}/deliver/cmssw/{target}/interface/Model.h",
        producer="<results>/{run}/deliver/cmssw/{target}/plugins/ScoreProducer.cc",
        plugins_buildfile="<results>/{run}/deliver/cmssw/{target}/plugins/BuildFile.xml",
        buildfile="<results>/{run}/deliver/cmssw/{target}/BuildFile.xml",
        golden="<results>/{run}/deliver/cmssw/{target}/test/golden.h",
        test="<results>/{run}/deliver/cmssw/{target}/test/testGolden.cc",
        test_buildfile="<results>/{run}/deliver/cmssw/{target}/test/BuildFile.xml",
        configuration="<results>/{run}/deliver/cmssw/{target}/test/scores_cfg.py",
        readme="<results>/{run}/deliver/cmssw/{target}/README.md",
        tried="<results>/{run}/deliver/cmssw/{target}/tried.json",
    log:
        "<logs>/{run}/{target}/deliver_cmssw.log",
    benchmark:
        "<benchmarks>/{run}/{target}/deliver_cmssw.tsv"
    wildcard_constraints:
        target=any_of(CMSSW_TARGETS),
    conda:
        "../envs/deliver.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("deliver_cmssw"),
        knobs=knobs("axes", "deliver", "evaluate/threshold"),
        target=lookup("targets/{target}", within=config),
        # What was not tried without one is, once there is one.
        compiler=bool(compiler()),
    script:
        "../scripts/deliver_cmssw.py"
