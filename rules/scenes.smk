"""Scenes: meshes placed at random, or point clouds, downsampled to points, for the teacher to learn from."""


rule scenes:
    """One part of the training or validation scenes."""
    input:
        sources_complete,
    output:
        "<results>/scenes/{variant}/{split}_{part}.h5",
    log:
        "<results>/scenes/{variant}/{split}_{part}.log",
    conda:
        "../envs/st3d.yaml"
    params:
        source=sources,
        listing=sources_listing,
        origin=lambda wildcards: shlex.quote(origin(wildcards)),  # :q drops an empty one
        clouds=lambda wildcards: study.variants[wildcards.variant]["scenes"][SPLITS[wildcards.split]],
        parts=lambda wildcards: len(parts_of_scenes(wildcards.split)(wildcards)),
        settings=settings(
            "scenes.objects",
            "scenes.half_width",
            "scenes.points",
            "scenes.dense_factor",
            "scenes.validation_share",
            "scenes.seed",
        ),
        code=code_of("scenes"),
    shell:
        "python -m st3d scenes --source {params.source:q} --origin {params.origin} --split {wildcards.split} --part {wildcards.part}"
        " --parts {params.parts} --clouds {params.clouds} {params.settings}"
        " --output {output:q} --code {params.code} 2> {log:q}"
