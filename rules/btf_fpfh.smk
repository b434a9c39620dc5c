"""BTF: a memory bank of histograms, without training."""


rule btf_fpfh:
    """Fill a category's memory bank with the histograms of its training scans."""
    input:
        train=made_by("objects", "<results>/objects/{variant}/{category}/train.h5"),
    output:
        model="<results>/btf_fpfh/{variant}/{category}/model.pt",
    log:
        "<results>/btf_fpfh/{variant}/{category}/btf_fpfh.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        gpu=GPU,
    params:
        settings=settings("detector.modality", "btf_fpfh", "runtime.device", "runtime.threads"),
        code=code_of("btf_fpfh"),
    shell:
        "python -m st3d btf_fpfh --train {input.train:q} --model {output.model:q} {params.settings}"
        " --code {params.code} 2> {log:q}"
