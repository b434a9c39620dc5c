"""Evidence: what was measured, in a folder of this repository that is small enough to be kept."""


rule evidence:
    """Rows, tables, losses, intervals, figures and where they come from: docs/results/<preset>."""
    input:
        variants=expand("<results>/variant/{name}.json", name=study.running),
        tables=[
            f"<results>/tables/{table}.csv"
            for table in (*TABLES, *MVTEC_TABLES, "methods")
            if membership.shown_in(study, table)
        ],
        intervals=[
            f"<results>/interval/{study.owner('interval', name)}/{category}.json"
            for name in study.running
            for category in membership.categories(study, name)
            if membership.protocol(study, name) == "full"
        ],
        maps=expand(f"<results>/maps/{SHOWN_MAPS}/{{category}}/maps.csv", category=SHOWN_CATEGORIES),
    output:
        directory(f"docs/results/{config['preset']}"),
    log:
        "<results>/evidence/evidence.log",
    conda:
        "../envs/st3d.yaml"
    params:
        protocols=[membership.protocol(study, name) for name in study.running],
        repeats=[membership.repeated(study, name) for name in study.running],
        differs=[report_content.differing(study, name) or "none" for name in study.running],
        intervals=lambda wildcards: [
            f"{name}/{category}={config['results']}/interval/{study.owner('interval', name)}/{category}.json"
            for name in study.running
            for category in membership.categories(study, name)
            if membership.protocol(study, name) == "full"
        ],
        curves=lambda wildcards: [
            f"{name}/{network}={config['results']}/{path}"
            for name in study.running
            for network, path in report_content.losses(study, name, membership.categories(study, name)).items()
        ],
        jobs=lambda wildcards: [
            f"{name}={config['results']}/{folder}"
            for name in study.running
            for folder in report_content.jobs(study, name)
        ],
        settings=report_content.settings(study),
        shown=report_content.shown(study),
        categories=SHOWN_CATEGORIES,
        dataset=DATASET,
        listing=lambda wildcards: digest_of_scans([Path(DATASET, name) for name in SHOWN_CATEGORIES]) or "none",
        maps=lambda wildcards: f"{config['results']}/maps/{SHOWN_MAPS}",
        licence=config["evidence"]["licence"] or "none",
        code=code_of("evidence"),
    shell:
        "python -m st3d evidence --variants {input.variants:q} --protocols {params.protocols} --repeats {params.repeats}"
        " --differs {params.differs:q} --intervals {params.intervals:q} --curves {params.curves:q} --jobs {params.jobs:q}"
        " --tables {input.tables:q} --settings {params.settings:q} --shown {params.shown} --categories {params.categories}"
        " --dataset {params.dataset:q} --listing {params.listing:q} --maps {params.maps:q} --licence {params.licence:q}"
        " --output {output:q} --code {params.code} 2> {log:q}"
