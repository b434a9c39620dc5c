"""What MVTec 3D-AD's own methods read: a category's frame, and its scans as voxel grids or depth images."""


rule frame:
    """A category's bounding box, background plane and camera."""
    input:
        scans_complete,
    output:
        "<results>/frame/{variant}/{category}.json",
    log:
        "<results>/frame/{variant}/{category}.log",
    conda:
        "../envs/st3d.yaml"
    params:
        dataset=DATASET,
        listing=own_scans("train", "calibration"),
        settings=settings("frame", "downsampling.invalid"),
        code=code_of("frame"),
    shell:
        "python -m st3d frame --dataset {params.dataset:q} --category {wildcards.category} {params.settings}"
        " --output {output:q} --code {params.code} 2> {log:q}"


rule voxels:
    """One split's scans of a category as voxel grids, or as depth images."""
    input:
        scans_complete,
        frame=made_by("frame", "<results>/frame/{variant}/{category}.json"),
    output:
        "<results>/voxels/{variant}/{category}/{split}.h5",
    log:
        "<results>/voxels/{variant}/{category}/{split}.log",
    conda:
        "../envs/st3d.yaml"
    params:
        command="voxels",
        dataset=DATASET,
        listing=own_scans(),
        settings=settings("voxels", "augmentation", "downsampling.invalid"),
        code=code_of("voxels"),
    shell:
        "python -m st3d {params.command} --dataset {params.dataset:q} --category {wildcards.category} --split {wildcards.split}"
        " --frame {input.frame:q} {params.settings} --output {output:q} --code {params.code} 2> {log:q}"


use rule voxels as depth with:
    output:
        "<results>/depth/{variant}/{category}/{split}.h5",
    log:
        "<results>/depth/{variant}/{category}/{split}.log",
    params:
        command="depth",
        settings=settings("depth", "augmentation", "downsampling.invalid"),
        code=code_of("depth"),
