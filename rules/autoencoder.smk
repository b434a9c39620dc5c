"""Autoencoder: learns to compress a category's anomaly-free samples and to reconstruct them."""


rule voxel_ae:
    """Train a category's autoencoder, on voxel grids or depth images."""
    input:
        **images_of("voxels"),
    output:
        model="<results>/voxel_ae/{variant}/{category}/model.pt",
        curve="<results>/voxel_ae/{variant}/{category}/loss.csv",
    log:
        "<results>/voxel_ae/{variant}/{category}/autoencoder.log",
    conda:
        "../envs/st3d.yaml"
    threads: config["runtime"]["threads"]
    resources:
        **TRAINING,
    params:
        settings=settings("detector.modality", "voxel_ae", "runtime.device", "runtime.threads"),
        code=code_of("voxel_ae"),
    shell:
        "python -m st3d autoencoder --train {input.train:q} --validation {input.validation:q} --model {output.model:q}"
        " --curve {output.curve:q} {params.settings} --cache-gb {resources.cache_gb} --code {params.code} 2> {log:q}"


use rule voxel_ae as depth_ae with:
    input:
        **images_of("depth"),
    output:
        model="<results>/depth_ae/{variant}/{category}/model.pt",
        curve="<results>/depth_ae/{variant}/{category}/loss.csv",
    log:
        "<results>/depth_ae/{variant}/{category}/autoencoder.log",
    params:
        settings=settings("detector.modality", "depth_ae", "runtime.device", "runtime.threads"),
        code=code_of("depth_ae"),
