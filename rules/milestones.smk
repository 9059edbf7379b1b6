"""The targets that a user types: one for each milestone, beside `all`."""


localrules:
    basics,
    data,
    train,
    scan,
    evaluate,
    extract,
    export,
    validate,
    benchmark,
    deliver,
    archive,
    verify_archive,


rule basics:
    """The basic facts and the device benchmark, whether a run asks for them or not."""
    input:
        rules.write_basics_page.output,
        rules.plot_device.output,


rule data:
    """The data of every run."""
    input:
        collected([rules.generate_data.output.datasheet], WITH_DATA),


rule train:
    """The trained weights of every run, and how the training went."""
    input:
        collected(
            [rules.select_model.output.shipped, rules.plot_training.output.loss_png],
            TRAINED,
        ),
        collected([rules.select_model.output.shipped], WEIGHTED),


rule scan:
    """The scans, their pictures, and what goes on from each."""
    input:
        scan_pictures,


rule evaluate:
    """The metrics and plots of every run."""
    input:
        collected([rules.evaluate_network.output.metrics], WITH_DATA),
        expand(rules.plot_surface.output.png, run=runs_with_surface()),


rule extract:
    """The hand-coded networks, checked."""
    input:
        collected([rules.check_code.output.check], COVERED),


rule export:
    """The ONNX files for every target."""
    input:
        collected([rules.export_onnx.output.file]),


rule validate:
    """The gate, for every target, its page, and the summary of every run."""
    input:
        collected(
            [
                rules.validate_target.output.validation,
                rules.write_gate_page.output.page,
            ]
        ),
        collected([rules.write_summary.output.page], NETWORKS),


rule benchmark:
    """The engines side by side."""
    input:
        collected([rules.plot_benchmark.output.latency_png]),


rule deliver:
    """What consumers load, made of what passed the gate, and tried."""
    input:
        collected([rules.deliver_header.output.tried], COVERED),
        collected([rules.deliver_cmssw.output.tried], RUNS, cmssw_targets_of),
        collected([rules.deliver_card.output.card]),


rule archive:
    """Both archives."""
    input:
        rules.pack_archive.output.archive,
        rules.pack_timings.output.archive,


rule verify_archive:
    """Both archives, verified."""
    input:
        rules.check_archives.output,
