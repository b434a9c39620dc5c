"""Graphs: each point's nearest neighbours, a file for each number of points and of neighbours."""


rule graph_scenes:
    """The graphs of one part of a split's downsampled clouds."""
    input:
        made_by("scenes", "<results>/scenes/{variant}/{split}_{part}.h5"),
    output:
        "<results>/graph/{variant}/scenes/{split}_{part}.h5",
    log:
        "<results>/graph/{variant}/scenes/{split}_{part}.log",
    conda:
        "../envs/st3d.yaml"
    params:
        settings=settings("graph"),
        code=code_of("graph_scenes"),
    shell:
        "python -m st3d graph --input {input:q} --output {output:q} {params.settings} --code {params.code} 2> {log:q}"


use rule graph_scenes as graph_scans with:
    input:
        made_by("downsampling", "<results>/downsampling/{variant}/{category}/{split}_{part}.h5"),
    output:
        "<results>/graph/{variant}/{category}/{split}_{part}.h5",
    log:
        "<results>/graph/{variant}/{category}/{split}_{part}.log",
    params:
        code=code_of("graph_scans"),
