"""Student: learns the teacher's descriptors of one category's anomaly-free scans."""


rule student:
    """Train a category's student to match the teacher's, or another extractor's, normalised descriptors."""
    input:
        teacher=extractor_of,
        train=scans_of("train"),
        validation=scans_of("validation"),
        scale=made_by("scale_scans", "<results>/scale/{variant}/{category}.json"),
    output:
        student="<results>/student/{variant}/{category}/student.pt",
        curve="<results>/student/{variant}/{category}/loss.csv",
    log:
        "<results>/student/{variant}/{category}/student.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        **TRAINING,
    params:
        settings=settings("graph", "network", "student", "runtime.device", "runtime.threads"),
        downsampling_seed=lambda wildcards: study.variants[wildcards.variant]["downsampling"]["seed"],
        code=code_of("student"),
    shell:
        "python -m st3d student --teacher {input.teacher:q} --train {input.train:q} --validation {input.validation:q}"
        " --scale {input.scale:q} --student {output.student:q} --curve {output.curve:q} {params.settings}"
        " --downsampling-seed {params.downsampling_seed} --cache-gb {resources.cache_gb} --code {params.code} 2> {log:q}"
