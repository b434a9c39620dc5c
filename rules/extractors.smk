"""Extractors: feature extractors in the teacher's place."""


rule pretrain_fcgf:
    """FCGF from a checkpoint, or pretrained to match corresponding points of two views of a scene."""
    input:
        train=unless_checkpoint("pretrain_fcgf", scenes_of("train")),
        validation=unless_checkpoint("pretrain_fcgf", scenes_of("validation")),
        checkpoint=own_checkpoint("pretrain_fcgf"),
    output:
        extractor="<results>/pretrain_fcgf/{variant}/fcgf.pt",
        curve="<results>/pretrain_fcgf/{variant}/loss.csv",
    log:
        "<results>/pretrain_fcgf/{variant}/fcgf.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        mem_mb=6000,
        runtime=2880,
        gpu=GPU,
    params:
        settings=settings("graph.points", "pretrain_fcgf", "runtime.device", "runtime.threads"),
        code=code_of("pretrain_fcgf"),
    shell:
        "python -m st3d pretrain_fcgf --train {input.train:q} --validation {input.validation:q}"
        " --extractor {output.extractor:q} --curve {output.curve:q} {params.settings} --code {params.code} 2> {log:q}"


rule pretrain_ppf_foldnet:
    """PPF-FoldNet from a checkpoint, or pretrained to reconstruct the point pair features of neighbourhoods."""
    input:
        train=unless_checkpoint("pretrain_ppf_foldnet", scenes_of("train")),
        validation=unless_checkpoint("pretrain_ppf_foldnet", scenes_of("validation")),
        scale=unless_checkpoint(
            "pretrain_ppf_foldnet", made_by("scale_scenes", "<results>/scale/{variant}/scenes.json")
        ),
        checkpoint=own_checkpoint("pretrain_ppf_foldnet"),
    output:
        extractor="<results>/pretrain_ppf_foldnet/{variant}/ppf_foldnet.pt",
        curve="<results>/pretrain_ppf_foldnet/{variant}/loss.csv",
    log:
        "<results>/pretrain_ppf_foldnet/{variant}/ppf_foldnet.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        mem_mb=6000,
        runtime=2880,
        gpu=GPU,
    params:
        settings=settings("graph", "pretrain_ppf_foldnet", "runtime.device", "runtime.threads"),
        code=code_of("pretrain_ppf_foldnet"),
    shell:
        "python -m st3d pretrain_ppf_foldnet --train {input.train:q} --validation {input.validation:q}"
        " --scale {input.scale:q} --extractor {output.extractor:q} --curve {output.curve:q} {params.settings}"
        " --code {params.code} 2> {log:q}"


rule fpfh:
    """Fast point feature histograms: no weights, only their settings."""
    output:
        "<results>/fpfh/{variant}/fpfh.pt",
    log:
        "<results>/fpfh/{variant}/fpfh.log",
    conda:
        "../envs/st3d.yaml"
    resources:
        **SMALL,
    params:
        settings=settings("fpfh"),
        code=code_of("fpfh"),
    shell:
        "python -m st3d fpfh --extractor {output:q} {params.settings} --code {params.code} 2> {log:q}"
