"""Variation model: mean and deviation of a category's anomaly-free samples, voxel by voxel or pixel by pixel."""


rule voxel_vm:
    """Mean and deviation of each voxel, or pixel of the depth images, over a category's training samples."""
    input:
        train=made_by("voxels", "<results>/voxels/{variant}/{category}/train.h5"),
    output:
        model="<results>/voxel_vm/{variant}/{category}/model.pt",
    log:
        "<results>/voxel_vm/{variant}/{category}/variation.log",
    conda:
        "../envs/st3d.yaml"
    params:
        settings=settings("detector.modality", "voxel_vm"),
        code=code_of("voxel_vm"),
    shell:
        "python -m st3d variation --train {input.train:q} --model {output.model:q} {params.settings}"
        " --code {params.code} 2> {log:q}"


use rule voxel_vm as depth_vm with:
    input:
        train=made_by("depth", "<results>/depth/{variant}/{category}/train.h5"),
    output:
        model="<results>/depth_vm/{variant}/{category}/model.pt",
    log:
        "<results>/depth_vm/{variant}/{category}/variation.log",
    params:
        settings=settings("detector.modality", "depth_vm"),
        code=code_of("depth_vm"),
