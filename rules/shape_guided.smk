"""Shape-Guided: one network of signed distances for all categories, and a memory bank of each."""


def objects_of_all(split):
    """An input function: a split's object images of all categories."""
    pattern = f"<results>/objects/{{variant}}/{{category}}/{split}.h5"
    return made_by("objects", pattern, category=config["categories"])


rule sdf_expert:
    """Train the network on patches of anomaly-free scans, or convert the authors' checkpoint."""
    input:
        own_checkpoint("sdf_expert"),
        train=objects_of_all("train"),
        validation=objects_of_all("validation"),
    output:
        expert="<results>/sdf_expert/{variant}/expert.pt",
        curve="<results>/sdf_expert/{variant}/loss.csv",
    log:
        "<results>/sdf_expert/{variant}/sdf_expert.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        **TRAINING,
    params:
        settings=settings("sdf_expert", "runtime.device", "runtime.threads"),
        code=code_of("sdf_expert"),
    shell:
        "python -m st3d sdf_expert --train {input.train} --validation {input.validation} --expert {output.expert}"
        " --curve {output.curve} {params.settings} --cache-gb {resources.cache_gb} --code {params.code} 2> {log}"


rule shape_guided:
    """Fill a category's memory bank with the features of its training scans' patches."""
    input:
        expert=made_by("sdf_expert", "<results>/sdf_expert/{variant}/expert.pt"),
        train=made_by("objects", "<results>/objects/{variant}/{category}/train.h5"),
    output:
        model="<results>/shape_guided/{variant}/{category}/model.pt",
    log:
        "<results>/shape_guided/{variant}/{category}/shape_guided.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        gpu=1,
    params:
        settings=settings("detector.modality", "shape_guided", "runtime.device", "runtime.threads"),
        code=code_of("shape_guided"),
    shell:
        "python -m st3d shape_guided --expert {input.expert} --train {input.train} --model {output.model}"
        " {params.settings} --code {params.code} 2> {log}"
