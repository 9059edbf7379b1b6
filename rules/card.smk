"""Delivery: what people read of a model, and what it is made of."""


rule deliver_card:
    """Deliver the card of a model, as Markdown and as a page, and its bill of materials."""
    input:
        unpack(shipped),
        unpack(data_if_any()),
        unpack(metrics_if_any),
        unpack(training_if_any),
        exports=for_targets(rules.export_onnx.output.report),
        validations=for_targets(rules.validate_target.output.validation),
        environments=packages_of_steps,
        pins=project("envs/deliver.yaml"),
    output:
        card="<results>/{run}/deliver/card/README.md",
        page=report(
            "<results>/{run}/deliver/card/card.html",
            caption="../report/card.rst",
            category="{run}",
            labels={"what": "card"},
        ),
        bom="<results>/{run}/deliver/card/bom.cdx.json",
    log:
        "<logs>/{run}/deliver_card.log",
    benchmark:
        "<benchmarks>/{run}/deliver_card.tsv"
    conda:
        "../envs/deliver.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_code("deliver_card"),
        knobs=knobs("axes", "deliver"),
        targets=export_targets,
        handcoded=is_covered,
        cmssw=cmssw_packages,
        license=lookup("archive/license", within=config),
    script:
        "../scripts/deliver_card.py"
