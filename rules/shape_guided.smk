"""Shape-Guided: one network of signed distances for all categories, and memory banks of each."""


rule sdf_expert:
    """Train one network of signed distances on all categories' scans, or convert the authors'."""
    input:
        train=unless_checkpoint(
            "sdf_expert",
            made_by("objects", "<results>/objects/{variant}/{category}/train.h5", category=config["categories"]),
        ),
        validation=unless_checkpoint(
            "sdf_expert",
            made_by("objects", "<results>/objects/{variant}/{category}/validation.h5", category=config["categories"]),
        ),
        checkpoint=own_checkpoint("sdf_expert"),
    output:
        model="<results>/sdf_expert/{variant}/expert.pt",
        curve="<results>/sdf_expert/{variant}/loss.csv",
    log:
        "<results>/sdf_expert/{variant}/expert.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        mem_mb=6000,
        runtime=2880,
        gpu=GPU,
    params:
        settings=settings("sdf_expert", "runtime.device", "runtime.threads"),
        code=code_of("sdf_expert"),
    shell:
        "python -m st3d sdf_expert --train {input.train:q} --validation {input.validation:q} --model {output.model:q}"
        " --curve {output.curve:q} {params.settings} --code {params.code} 2> {log:q}"


rule shape_guided:
    """Fill a category's memory banks with the features of its training scans' patches, and of their colours."""
    input:
        train=made_by("objects", "<results>/objects/{variant}/{category}/train.h5"),
        validation=made_by("objects", "<results>/objects/{variant}/{category}/validation.h5"),
        expert=made_by("sdf_expert", "<results>/sdf_expert/{variant}/expert.pt"),
        weights=own_colour_weights,
    output:
        model="<results>/shape_guided/{variant}/{category}/model.pt",
    log:
        "<results>/shape_guided/{variant}/{category}/shape_guided.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        mem_mb=5000,  # colours of 300 scans: 1 GB, twice while they are joined and written
        gpu=GPU,
    params:
        settings=settings("detector.modality", "shape_guided", "colour", "runtime.device", "runtime.threads"),
        code=code_of("shape_guided"),
    shell:
        "python -m st3d shape_guided --train {input.train:q} --validation {input.validation:q} --expert {input.expert:q}"
        " --model {output.model:q} {params.settings} --code {params.code} 2> {log:q}"
