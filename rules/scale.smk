"""Scale: the mean distance of a point to its neighbours over a whole training set."""


rule scale_scenes:
    """The scale of the scenes, or of a category's training scans."""
    input:
        scenes_of("train"),
    output:
        "<results>/scale/{variant}/scenes.json",
    log:
        "<results>/scale/{variant}/scenes.log",
    conda:
        "../envs/st3d.yaml"
    params:
        settings=settings("graph"),
        code=code_of("scale_scenes"),
    shell:
        "python -m st3d scale --train {input:q} {params.settings} --output {output:q} --code {params.code} 2> {log:q}"


use rule scale_scenes as scale_scans with:
    input:
        scans_of("train"),
    output:
        "<results>/scale/{variant}/{category}.json",
    log:
        "<results>/scale/{variant}/{category}.log",
    params:
        code=code_of("scale_scans"),
