"""Calibrated 3D-ST: what teacher and student make of a category's anomaly-free scans."""


rule calibrated:
    """Keep teacher's and student's features of anomaly-free scans, in cells, to compare those of other scans with."""
    input:
        teacher=extractor_of,
        student=made_by("student", "<results>/student/{variant}/{category}/student.pt"),
        train=scans_of("train"),
        validation=scans_of("validation"),
        train_images=objects_of("train"),
        validation_images=objects_of("validation"),
    output:
        "<results>/calibrated/{variant}/{category}/model.pt",
    log:
        "<results>/calibrated/{variant}/{category}/calibrated.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        gpu=GPU,
    params:
        settings=settings("calibrated", "runtime.device", "runtime.threads"),
        code=code_of("calibrated"),
    shell:
        "python -m st3d calibrated --teacher {input.teacher:q} --student {input.student:q} --train {input.train:q}"
        " --validation {input.validation:q} --train-images {input.train_images:q}"
        " --validation-images {input.validation_images:q} --model {output:q} {params.settings}"
        " --code {params.code} 2> {log:q}"
