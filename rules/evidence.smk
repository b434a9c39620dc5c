"""Evidence: what was measured, in a folder of this repository that is small enough to be kept."""


rule evidence_row:
    """All that was measured of one variant."""
    input:
        variant="<results>/variant/{variant}.json",
        intervals=lambda wildcards: [
            f"<results>/interval/{study.owner('interval', wildcards.variant)}/{category}.json"
            for category in full_size(wildcards.variant)
        ],
        costs=lambda wildcards: [
            f"<results>/cost/{study.owner('cost', wildcards.variant)}.json"
            for _ in range(membership.shows(study, "table3", wildcards.variant))
        ],
    output:
        "<results>/evidence/{variant}.json",
    log:
        "<results>/evidence/{variant}.log",
    conda:
        "../envs/st3d.yaml"
    resources:
        **SMALL,
    params:
        protocol=lambda wildcards: membership.protocol(study, wildcards.variant),
        repeats=lambda wildcards: membership.repeated(study, wildcards.variant),
        differs=lambda wildcards: report_content.differing(study, wildcards.variant) or "none",
        intervals=lambda wildcards: [
            f"{category}={config['results']}/interval/{study.owner('interval', wildcards.variant)}/{category}.json"
            for category in full_size(wildcards.variant)
        ],
        curves=lambda wildcards: [
            f"{network}={config['results']}/{path}"
            for network, path in report_content.losses(
                study, wildcards.variant, membership.categories(study, wildcards.variant)
            ).items()
        ],
        jobs=lambda wildcards: [
            f"{config['results']}/{folder}" for folder in report_content.jobs(study, wildcards.variant)
        ],
        tables=lambda wildcards: [
            each for each in (*TABLES, *MVTEC_TABLES, "methods") if membership.shows(study, each, wildcards.variant)
        ],
        settings=lambda wildcards: report_content.settings_hash(study, wildcards.variant),
        data=data_of,
        code=code_of("evidence_row"),
    shell:
        "python -m st3d evidence_row --variant {input.variant:q} --protocol {params.protocol} --repeats {params.repeats}"
        " --differs {params.differs:q} --intervals {params.intervals:q} --costs-of-table3 {input.costs:q}"
        " --curves {params.curves:q} --jobs {params.jobs:q} --tables {params.tables} --settings {params.settings}"
        " --data {params.data:q} --output {output:q} --code {params.code} 2> {log:q}"


rule evidence:
    """Rows, tables, losses, intervals, figures and where they come from: docs/results/<preset>."""
    input:
        rows=expand("<results>/evidence/{name}.json", name=study.running),
        maps=expand(f"<results>/maps/{SHOWN_MAPS}/{{category}}/maps.csv", category=SHOWN_CATEGORIES),
    output:
        # not the folder itself: it comes with a clone, in which it would seem to be made, and Snakemake would remove its rows
        "<results>/tables/differences.txt",
    log:
        "<results>/tables/evidence.log",
    conda:
        "../envs/st3d.yaml"
    resources:
        **SMALL,
    params:
        folder=f"docs/results/{config['preset']}",
        declared=[f"{name}={report_content.settings_hash(study, name)}" for name in study.variants],
        settings=report_content.settings(study, report_content.BASE),
        shown=report_content.shown(study),
        categories=SHOWN_CATEGORIES,
        dataset=DATASET,
        listing=lambda wildcards: digest_of_scans([Path(DATASET, name) for name in SHOWN_CATEGORIES]) or "none",
        maps=lambda wildcards: f"{config['results']}/maps/{SHOWN_MAPS}",
        licence=config["evidence"]["licence"] or "none",
        code=code_of("evidence"),
    shell:
        "python -m st3d evidence --rows {input.rows:q} --declared {params.declared} --settings {params.settings:q}"
        " --shown {params.shown} --categories {params.categories} --dataset {params.dataset:q} --maps {params.maps:q}"
        " --licence {params.licence:q} --folder {params.folder:q} --output {output:q} --code {params.code} 2> {log:q}"
