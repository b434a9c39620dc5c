"""Report: one page of everything that was run, with its figures and pictures."""

from st3d.formats.provenance import sha256

SHOWN_CATEGORIES = membership.categories(study, report_content.shown(study))
SHOWN_MAPS = study.owner("maps", report_content.shown(study))
LOSSES = report_content.losses(study, report_content.shown(study), SHOWN_CATEGORIES)


rule report:
    """The page, and beside it its figures and pictures as files."""
    input:
        tables=tables_with(MVTEC_TABLES),
        variants=expand("<results>/variant/{name}.json", name=report_content.reported(study, TABLES)),
        scores=[
            f"<results>/score/{study.owner('score', name)}/{category}.json"
            for name in report_content.compared(study)
            for category in SHOWN_CATEGORIES
        ],
        maps=expand(f"<results>/maps/{SHOWN_MAPS}/{{category}}/maps.csv", category=SHOWN_CATEGORIES),
        validation=expand(f"<results>/validation_maps/{SHOWN_MAPS}/{{category}}/maps.csv", category=SHOWN_CATEGORIES),
        curve=[f"<results>/{path}" for path in LOSSES.values()],
    output:
        page=report("<results>/report/index.html", caption="captions/report.rst", category="Report"),
        figures=report(
            directory("<results>/report/figures"),
            patterns=["{name}.svg"],
            caption="captions/figures.rst",
            category="Figures",
        ),
        scans=directory("<results>/report/scans"),
    log:
        "<results>/report/report.log",
    conda:
        "../envs/st3d.yaml"
    params:
        compared=report_content.compared(study),
        shown=report_content.shown(study),
        categories=SHOWN_CATEGORIES,
        dataset=DATASET,
        listing=own_tests(SHOWN_CATEGORIES),
        maps=lambda wildcards: f"{config['results']}/maps/{SHOWN_MAPS}",
        validation=lambda wildcards: f"{config['results']}/validation_maps/{SHOWN_MAPS}",
        trained=list(LOSSES),
        chosen=report_content.settings(study, report_content.shown(study)),
        logs=lambda wildcards: [f"{config['results']}/{path}" for path in report_content.logs(study)]
        + [f"{config['data']}/logs"],
        method=study.method(report_content.shown(study)),
        preset=config["preset"],
        code=code_of("report"),
        page=[  # what the fingerprint of Python's code does not see
            sha256(Path(workflow.basedir, f"st3d/evaluation/report/page.{end}")) for end in ("html.j2", "css", "js")
        ],
    shell:
        "python -m st3d report --tables {input.tables:q} --variants {input.variants:q}"
        " --methods {params.compared} --scores {input.scores:q} --shown {params.shown} --categories {params.categories}"
        " --dataset {params.dataset:q} --maps {params.maps:q} --validation-maps {params.validation:q}"
        " --curves-of {params.trained} --curve {input.curve:q} --settings {params.chosen:q} --method {params.method}"
        " --preset {params.preset:q} --logs {params.logs:q} --output {output.page:q} --code {params.code} 2> {log:q}"
