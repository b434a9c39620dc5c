"""Maps: how anomalous each pixel of each test scan is."""


rule maps:
    """A category's anomaly maps, as TIFF in the layout that MVTec's evaluation reads, and their list."""
    input:
        teacher=made_by("teacher", "<results>/teacher/{variant}/teacher.pt"),
        student=made_by("student", "<results>/student/{variant}/{category}/student.pt"),
        test=scans_of("test"),
    output:
        "<results>/maps/{variant}/{category}/maps.csv",
    log:
        "<results>/maps/{variant}/{category}/maps.log",
    benchmark:
        "<results>/maps/{variant}/{category}/maps.benchmark.tsv"
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        mem_mb=4000,
        runtime=240,
        gpu=1,
    params:
        folder=folder_of,
        settings=settings("graph", "network", "runtime.device", "runtime.threads"),
        code=fingerprint("maps"),
    shell:
        "python -m st3d maps --teacher {input.teacher} --student {input.student} --test {input.test}"
        " --output {params.folder} --manifest {output} {params.settings}"
        " --code {params.code} 2> {log}"
