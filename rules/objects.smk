"""What the memory banks read: scans as object images, square and small, without their background."""


rule objects:
    """One split's scans of a category as object images."""
    input:
        scans_complete,
    output:
        "<results>/objects/{variant}/{category}/{split}.h5",
    log:
        "<results>/objects/{variant}/{category}/{split}.log",
    conda:
        "../envs/st3d.yaml"
    params:
        dataset=DATASET,
        listing=own_scans(),
        settings=settings("objects", "downsampling.invalid"),
        code=code_of("objects"),
    shell:
        "python -m st3d objects --dataset {params.dataset:q} --category {wildcards.category} --split {wildcards.split}"
        " {params.settings} --output {output:q} --code {params.code} 2> {log:q}"
