"""GAN: learns to make a category's sound samples, and to encode one into what it is made of."""


rule voxel_gan:
    """Train a category's GAN on voxel grids, then the encoder into its latent space."""
    input:
        train=made_by("voxels", "<results>/voxels/{variant}/{category}/train.h5"),
        validation=made_by("voxels", "<results>/voxels/{variant}/{category}/validation.h5"),
    output:
        model="<results>/voxel_gan/{variant}/{category}/model.pt",
        critic_curve="<results>/voxel_gan/{variant}/{category}/critic.csv",
        curve="<results>/voxel_gan/{variant}/{category}/loss.csv",
    log:
        "<results>/voxel_gan/{variant}/{category}/gan.log",
    benchmark:
        "<results>/voxel_gan/{variant}/{category}/gan.benchmark.tsv"
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        mem_mb=TRAINING_MB,
        cache_gb=CACHE_GB,
        runtime=1440,
        gpu=1,
    params:
        settings=settings("detector.modality", "voxel_gan", "runtime.device", "runtime.threads"),
        code=code_of("voxel_gan"),
    shell:
        "python -m st3d gan --train {input.train} --validation {input.validation} --model {output.model}"
        " --critic-curve {output.critic_curve} --curve {output.curve} {params.settings}"
        " --cache-gb {resources.cache_gb} --code {params.code} 2> {log}"


rule depth_gan:
    """Train a category's GAN on depth images, then the encoder into its latent space."""
    input:
        train=made_by("depth", "<results>/depth/{variant}/{category}/train.h5"),
        validation=made_by("depth", "<results>/depth/{variant}/{category}/validation.h5"),
    output:
        model="<results>/depth_gan/{variant}/{category}/model.pt",
        critic_curve="<results>/depth_gan/{variant}/{category}/critic.csv",
        curve="<results>/depth_gan/{variant}/{category}/loss.csv",
    log:
        "<results>/depth_gan/{variant}/{category}/gan.log",
    benchmark:
        "<results>/depth_gan/{variant}/{category}/gan.benchmark.tsv"
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        mem_mb=TRAINING_MB,
        cache_gb=CACHE_GB,
        runtime=1440,
        gpu=1,
    params:
        settings=settings("detector.modality", "depth_gan", "runtime.device", "runtime.threads"),
        code=code_of("depth_gan"),
    shell:
        "python -m st3d gan --train {input.train} --validation {input.validation} --model {output.model}"
        " --critic-curve {output.critic_curve} --curve {output.curve} {params.settings}"
        " --cache-gb {resources.cache_gb} --code {params.code} 2> {log}"
