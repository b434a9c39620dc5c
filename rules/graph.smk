"""Graphs: each point's nearest neighbours, for the largest number that any variant with these points needs."""


rule graph_scenes:
    """Neighbours in the scenes."""
    input:
        made_by("scenes", "<results>/scenes/{variant}/{split}_{part}.h5"),
    output:
        "<results>/graph/{variant}/scenes/{split}_{part}.h5",
    log:
        "<results>/graph/{variant}/scenes/{split}_{part}.log",
    benchmark:
        "<results>/graph/{variant}/scenes/{split}_{part}.benchmark.tsv"
    conda:
        "../envs/st3d.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=settings("graph.points"),
        neighbours=largest("graph_scenes", "graph.neighbours"),
        code=code_of("graph_scenes"),
    shell:
        "python -m st3d graph --input {input} --output {output} {params.settings}"
        " --neighbours {params.neighbours} --code {params.code} 2> {log}"


rule graph_scans:
    """Neighbours in a category's scans."""
    input:
        made_by("downsampling", "<results>/downsampling/{variant}/{category}/{split}_{part}.h5"),
    output:
        "<results>/graph/{variant}/{category}/{split}_{part}.h5",
    log:
        "<results>/graph/{variant}/{category}/{split}_{part}.log",
    benchmark:
        "<results>/graph/{variant}/{category}/{split}_{part}.benchmark.tsv"
    conda:
        "../envs/st3d.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=settings("graph.points"),
        neighbours=largest("graph_scans", "graph.neighbours"),
        code=code_of("graph_scans"),
    shell:
        "python -m st3d graph --input {input} --output {output} {params.settings}"
        " --neighbours {params.neighbours} --code {params.code} 2> {log}"
