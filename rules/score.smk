"""Score: how well the maps find the defects; and what a scan costs."""


rule score:
    """AU-PRO and image AUROC of one category."""
    input:
        manifest=made_by("maps", "<results>/maps/{variant}/{category}/maps.csv"),
        objects=at_their_size(objects_of("test")),
    output:
        "<results>/score/{variant}/{category}.json",
    log:
        "<results>/score/{variant}/{category}.log",
    conda:
        "../envs/st3d.yaml"
    params:
        dataset=DATASET,
        listing=own_scans("test"),
        maps=lambda wildcards: f"{config['results']}/maps/{study.owner('maps', wildcards.variant)}",
        settings=settings("score"),
        code=code_of("score"),
    shell:
        "python -m st3d score --dataset {params.dataset:q} --category {wildcards.category} --maps {params.maps:q}"
        " --manifest {input.manifest:q} --objects {input.objects:q} --output {output:q} {params.settings} --code {params.code} 2> {log:q}"


rule interval:
    """How far the scores of one category would lie apart for other test scans."""
    input:
        manifest=made_by("maps", "<results>/maps/{variant}/{category}/maps.csv"),
    output:
        "<results>/interval/{variant}/{category}.json",
    log:
        "<results>/interval/{variant}/{category}.log",
    conda:
        "../envs/st3d.yaml"
    params:
        dataset=DATASET,
        listing=own_scans("test"),
        maps=lambda wildcards: f"{config['results']}/maps/{study.owner('maps', wildcards.variant)}",
        settings=settings("interval"),
        limits=config["score"]["limits"],
        code=code_of("interval"),
    shell:
        "python -m st3d interval --dataset {params.dataset:q} --category {wildcards.category} --maps {params.maps:q}"
        " --manifest {input.manifest:q} --output {output:q} --limits {params.limits} {params.settings} --code {params.code}"
        " 2> {log:q}"


rule cost:
    """Seconds and memory of one scan, measured with all cores to itself."""
    input:
        train=made_by(
            "graph_scans", "<results>/graph/{variant}/{category}/train_0.h5", category=membership.compared(study)[0]
        ),
        scale=made_by(
            "scale_scans", "<results>/scale/{variant}/{category}.json", category=membership.compared(study)[0]
        ),
    output:
        "<results>/cost/{variant}.json",
    log:
        "<results>/cost/{variant}.log",
    conda:
        "../envs/st3d.yaml"
    threads: workflow.resource_settings.cores or 1  # `workflow.cores` fails without --cores, as in --report
    resources:
        gpu=GPU,
    params:
        settings=settings("graph", "network", "cost", "runtime.device", "runtime.threads"),
        code=code_of("cost"),
    shell:
        "python -m st3d cost --train {input.train:q} --scale {input.scale:q} --output {output:q} {params.settings}"
        " --code {params.code} 2> {log:q}"
