"""Data: simulated here, or downloaded. A folder counts as complete once its complete.json is there."""


rule furniture:
    """Simulated furniture meshes in ModelNet10's kinds and layout."""
    output:
        "<data>/furniture/complete.json",
    log:
        "<data>/logs/furniture.log",
    conda:
        "../envs/st3d.yaml"
    params:
        folder=folder_of,
        settings=settings("furniture"),
        code=code_of("furniture"),
    shell:
        "python -m st3d furniture --output {params.folder:q} {params.settings} --code {params.code} 2> {log:q}"


rule surrogates:
    """Synthetic surrogates of a range sensor's point clouds."""
    output:
        "<data>/{source}/complete.json",
    log:
        "<data>/logs/{source}.log",
    wildcard_constraints:
        source="|".join(SURROGATES),
    conda:
        "../envs/st3d.yaml"
    params:
        folder=folder_of,
        settings=settings("surrogates"),
        code=code_of("surrogates"),
    shell:
        "python -m st3d surrogates --source {wildcards.source} --output {params.folder:q} {params.settings}"
        " --code {params.code} 2> {log:q}"


rule simulation:
    """Simulated scans of one category in MVTec 3D-AD's layout."""
    output:
        "<data>/simulated/{category}/complete.json",
    log:
        "<data>/logs/simulation_{category}.log",
    conda:
        "../envs/st3d.yaml"
    params:
        folder=folder_of_dataset,
        settings=settings("simulation"),
        code=code_of("simulation"),
    shell:
        "python -m st3d simulation --category {wildcards.category} --output {params.folder:q}"
        " {params.settings} --code {params.code} 2> {log:q}"


rule download_modelnet10:
    """ModelNet10's meshes, or MVTec 3D-AD's scans."""
    output:
        "<data>/modelnet10/complete.json",
    log:
        "<data>/logs/download_modelnet10.log",
    conda:
        "../envs/st3d.yaml"
    resources:
        mem_mb=1000,
        runtime=600,
    params:
        command="download_modelnet10",
        folder=folder_of,
        settings=settings("download.modelnet10", "download.retries"),
    shell:
        "python -m st3d {params.command} --output {params.folder:q} {params.settings} 2> {log:q}"


use rule download_modelnet10 as download_mvtec_3d_ad with:
    output:
        "<data>/mvtec_3d_ad/complete.json",
    log:
        "<data>/logs/download_mvtec_3d_ad.log",
    resources:
        mem_mb=1000,
        runtime=1440,
    params:
        command="download_mvtec_3d_ad",
        settings=settings("download.mvtec_3d_ad", "download.retries"),


rule download_3dmatch:
    """The fragments of one of 3DMatch's scenes."""
    output:
        "<data>/3dmatch/{scene}/complete.json",
    log:
        "<data>/logs/download_3dmatch_{scene}.log",
    wildcard_constraints:
        scene="|".join(config["download"][THREE_D_MATCH]["scenes"]),
    conda:
        "../envs/st3d.yaml"
    resources:
        mem_mb=1000,
        runtime=600,
    params:
        folder=folder_of,
        settings=settings("download.3dmatch.url", "download.3dmatch.archive", "download.retries"),
    shell:
        "python -m st3d download_3dmatch --scene {wildcards.scene} --output {params.folder:q} {params.settings} 2> {log:q}"
