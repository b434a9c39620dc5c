"""Calibration: one file for each category that `st3d predict` judges scans with."""


rule calibration:
    """Set thresholds from a category's validation scans; put them, teacher and student into one file."""
    input:
        teacher=extractor_of,
        student=made_by("student", "<results>/student/{variant}/{category}/student.pt"),
        train=scans_of("train"),
        validation=scans_of("validation"),
    output:
        "<results>/calibration/{variant}/{category}/model.st3d",
    log:
        "<results>/calibration/{variant}/{category}/calibration.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        gpu=GPU,
    params:
        settings=settings("calibration", "runtime.device", "runtime.threads"),
        code=code_of("calibration"),
    shell:
        "python -m st3d calibration --teacher {input.teacher:q} --student {input.student:q} --train {input.train:q}"
        " --validation {input.validation:q} --output {output:q} {params.settings} --code {params.code} 2> {log:q}"
