"""Scans, downsampled: invalid pixels dropped, farthest point sampling."""


rule downsampling:
    """One part of a category's split."""
    input:
        scans_complete,
    output:
        "<results>/downsampling/{variant}/{category}/{split}_{part}.h5",
    log:
        "<results>/downsampling/{variant}/{category}/{split}_{part}.log",
    conda:
        "../envs/st3d.yaml"
    params:
        dataset=DATASET,
        listing=own_scans(),
        settings=settings("downsampling"),
        code=code_of("downsampling"),
    shell:
        "python -m st3d downsampling --dataset {params.dataset:q} --category {wildcards.category} --split {wildcards.split}"
        " --part {wildcards.part} {params.settings}"
        " --output {output:q} --code {params.code} 2> {log:q}"
