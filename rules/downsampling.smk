"""Scans, downsampled: invalid pixels dropped, farthest point sampling."""


rule downsampling:
    """One part of a category's split, at the largest number of points that any variant needs."""
    input:
        scans_complete,
    output:
        "<results>/downsampling/{variant}/{category}/{split}_{part}.h5",
    log:
        "<results>/downsampling/{variant}/{category}/{split}_{part}.log",
    benchmark:
        "<results>/downsampling/{variant}/{category}/{split}_{part}.benchmark.tsv"
    conda:
        "../envs/st3d.yaml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        dataset=DATASET,
        listing=lambda wildcards: OWN_SCANS.get(wildcards.category, ""),
        points=largest("downsampling", "graph.points"),
        least=lambda wildcards: 1 + study.largest("downsampling", wildcards.variant, "graph.neighbours"),
        settings=settings("downsampling"),
        code=code_of("downsampling"),
    shell:
        "python -m st3d downsampling --dataset {params.dataset:q} --category {wildcards.category} --split {wildcards.split}"
        " --part {wildcards.part} --points {params.points} --least {params.least} {params.settings}"
        " --output {output} --code {params.code} 2> {log}"
