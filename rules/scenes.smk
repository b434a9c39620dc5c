"""Scenes: meshes, placed at random and thinned to points, for the teacher to learn from."""


rule scenes:
    """One part of the training or validation scenes, at the largest number of points that any variant needs."""
    input:
        [made for folder, made in MESHES if made],
    output:
        "<results>/scenes/{variant}/{split}_{part}.h5",
    log:
        "<results>/scenes/{variant}/{split}_{part}.log",
    benchmark:
        "<results>/scenes/{variant}/{split}_{part}.benchmark.tsv"
    conda:
        "../envs/st3d.yaml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        meshes=[path for path, made in MESHES],
        listing=OWN_MESHES,
        clouds=lambda wildcards: config["scenes"][{"train": "training"}.get(wildcards.split, wildcards.split)],
        parts=lambda wildcards: len(parts("scenes", wildcards.split)),
        points=largest("scenes", "graph.points"),
        settings=settings(
            "scenes.objects", "scenes.half_width", "scenes.dense_factor", "scenes.held_out", "scenes.seed"
        ),
        code=fingerprint("scenes"),
    shell:
        "python -m st3d scenes --meshes {params.meshes} --split {wildcards.split} --part {wildcards.part}"
        " --parts {params.parts} --clouds {params.clouds} --points {params.points} {params.settings}"
        " --output {output} --code {params.code} 2> {log}"
