"""GAN: f-AnoGAN learns to generate a category's anomaly-free samples, and an encoder finds a sample's latent vector."""


rule voxel_gan:
    """Train a category's GAN, on voxel grids or depth images, then the encoder into its latent space."""
    input:
        **images_of("voxels"),
    output:
        model="<results>/voxel_gan/{variant}/{category}/model.pt",
        critic_curve="<results>/voxel_gan/{variant}/{category}/critic.csv",
        curve="<results>/voxel_gan/{variant}/{category}/loss.csv",
    log:
        "<results>/voxel_gan/{variant}/{category}/gan.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        **TRAINING,
    params:
        settings=settings("detector.modality", "voxel_gan", "runtime.device", "runtime.threads"),
        code=code_of("voxel_gan"),
    shell:
        "python -m st3d gan --train {input.train:q} --validation {input.validation:q} --model {output.model:q}"
        " --critic-curve {output.critic_curve:q} --curve {output.curve:q} {params.settings}"
        " --cache-gb {resources.cache_gb} --code {params.code} 2> {log:q}"


use rule voxel_gan as depth_gan with:
    input:
        **images_of("depth"),
    output:
        model="<results>/depth_gan/{variant}/{category}/model.pt",
        critic_curve="<results>/depth_gan/{variant}/{category}/critic.csv",
        curve="<results>/depth_gan/{variant}/{category}/loss.csv",
    log:
        "<results>/depth_gan/{variant}/{category}/gan.log",
    params:
        settings=settings("detector.modality", "depth_gan", "runtime.device", "runtime.threads"),
        code=code_of("depth_gan"),
