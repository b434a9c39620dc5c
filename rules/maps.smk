"""Maps: how anomalous each pixel of each test scan is; and of each validation scan, for the report's threshold."""


rule maps:
    """A category's anomaly maps, as TIFF in the layout that MVTec's evaluation reads, and their list."""
    input:
        models=models_of,
        test=evaluated("test"),
    output:
        "<results>/maps/{variant}/{category}/maps.csv",
    log:
        "<results>/maps/{variant}/{category}/maps.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        gpu=GPU,
    params:
        folder=folder_of,
        settings=settings("detector.method", "runtime.device", "runtime.threads"),
        code=code_of("maps"),
    shell:
        "python -m st3d maps --models {input.models:q} --test {input.test:q} --output {params.folder:q}"
        " --manifest {output:q} {params.settings} --code {params.code} 2> {log:q}"


use rule maps as validation_maps with:
    input:
        models=models_of,
        test=evaluated("validation"),
    output:
        "<results>/validation_maps/{variant}/{category}/maps.csv",
    log:
        "<results>/validation_maps/{variant}/{category}/maps.log",
