"""Autoencoder: learns to compress a category's sound samples."""


rule voxel_ae:
    """Train a category's autoencoder on voxel grids."""
    input:
        train=made_by("voxels", "<results>/voxels/{variant}/{category}/train.h5"),
        validation=made_by("voxels", "<results>/voxels/{variant}/{category}/validation.h5"),
    output:
        model="<results>/voxel_ae/{variant}/{category}/model.pt",
        curve="<results>/voxel_ae/{variant}/{category}/loss.csv",
    log:
        "<results>/voxel_ae/{variant}/{category}/autoencoder.log",
    benchmark:
        "<results>/voxel_ae/{variant}/{category}/autoencoder.benchmark.tsv"
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        mem_mb=TRAINING_MB,
        cache_gb=CACHE_GB,
        runtime=1440,
        gpu=1,
    params:
        settings=settings("detector.modality", "voxel_ae", "runtime.device", "runtime.threads"),
        code=code_of("voxel_ae"),
    shell:
        "python -m st3d autoencoder --train {input.train} --validation {input.validation} --model {output.model}"
        " --curve {output.curve} {params.settings} --cache-gb {resources.cache_gb} --code {params.code} 2> {log}"


rule depth_ae:
    """Train a category's autoencoder on depth images."""
    input:
        train=made_by("depth", "<results>/depth/{variant}/{category}/train.h5"),
        validation=made_by("depth", "<results>/depth/{variant}/{category}/validation.h5"),
    output:
        model="<results>/depth_ae/{variant}/{category}/model.pt",
        curve="<results>/depth_ae/{variant}/{category}/loss.csv",
    log:
        "<results>/depth_ae/{variant}/{category}/autoencoder.log",
    benchmark:
        "<results>/depth_ae/{variant}/{category}/autoencoder.benchmark.tsv"
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        mem_mb=TRAINING_MB,
        cache_gb=CACHE_GB,
        runtime=1440,
        gpu=1,
    params:
        settings=settings("detector.modality", "depth_ae", "runtime.device", "runtime.threads"),
        code=code_of("depth_ae"),
    shell:
        "python -m st3d autoencoder --train {input.train} --validation {input.validation} --model {output.model}"
        " --curve {output.curve} {params.settings} --cache-gb {resources.cache_gb} --code {params.code} 2> {log}"
