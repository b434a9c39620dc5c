"""Teacher: learns a descriptor of each point's receptive field."""


rule teacher:
    """Pretrain the teacher to reconstruct each point's receptive field from its descriptor."""
    input:
        train=scenes_of("train"),
        validation=scenes_of("validation"),
        scale=made_by("scale_scenes", "<results>/scale/{variant}/scenes.json"),
    output:
        teacher="<results>/teacher/{variant}/teacher.pt",
        curve="<results>/teacher/{variant}/loss.csv",
    log:
        "<results>/teacher/{variant}/teacher.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        **TRAINING,
    params:
        settings=settings("graph", "network", "teacher", "runtime.device", "runtime.threads"),
        code=code_of("teacher"),
    shell:
        "python -m st3d teacher --train {input.train:q} --validation {input.validation:q} --scale {input.scale:q}"
        " --teacher {output.teacher:q} --curve {output.curve:q} {params.settings}"
        " --cache-gb {resources.cache_gb} --code {params.code} 2> {log:q}"


rule pretrained_teacher:
    """A teacher and its record for the package, to be copied to st3d/pretrained; see configs/pretrained_teacher.yaml."""
    input:
        teacher="<results>/teacher/base/teacher.pt",
        curve="<results>/teacher/base/loss.csv",
    output:
        "<results>/package/teacher.pt",  # not in the package: its students would make their own input anew
    log:
        "<results>/package/teacher.log",
    conda:
        "../envs/st3d.yaml"
    resources:
        **SMALL,
    params:
        code=code_of("pretrained_teacher"),
    shell:
        "python -m st3d pretrained_teacher --teacher {input.teacher:q} --curve {input.curve:q} --output {output:q}"
        " --code {params.code} 2> {log:q}"
