"""Tables: the paper's, measured rows beside published ones; figures; a readable summary."""

TABLES = ("table1", "table2", "table3", "table4", "auroc", "sampled_au_pro")
MVTEC_TABLES = ("mvtec_table2", "mvtec_table4", "mvtec_table5")  # the dataset paper's; not part of `all`
# whose maps the gallery shows
SHOWN = study.owner("maps", "base" if "base" in study.running else study.running[0])


rule variant:
    """One variant's scores in its categories."""
    input:
        lambda wildcards: [
            f"<results>/score/{study.owner('score', wildcards.variant)}/{category}.json"
            for category in membership.categories(study, wildcards.variant)
        ],
    output:
        json="<results>/variant/{variant}.json",
        csv="<results>/variant/{variant}.csv",
    log:
        "<results>/variant/{variant}.log",
    conda:
        "../envs/st3d.yaml"
    resources:
        **SMALL,
    params:
        categories=lambda wildcards: membership.categories(study, wildcards.variant),
        varied=lambda wildcards: membership.hyperparameter(study, wildcards.variant),
        group=lambda wildcards: shlex.quote(membership.group(study, wildcards.variant)),
        weights=lambda wildcards: shlex.quote(membership.weights(study, wildcards.variant)),
        pretraining=lambda wildcards: shlex.quote(membership.pretraining(study, wildcards.variant)),
        latent=lambda wildcards: membership.latent(study, wildcards.variant),
        settings=settings("detector", "graph", "network.width", "dataset", "preset"),
        code=lambda wildcards: fingerprint(*study.modules(wildcards.variant), *modules("variant")),
    shell:
        "python -m st3d variant --variant {wildcards.variant} --score {input} --categories {params.categories}"
        " --varied {params.varied} --group {params.group} --weights {params.weights}"
        " --pretraining {params.pretraining} --latent {params.latent} {params.settings} --output {output.json}"
        " --table {output.csv} --code {params.code} 2> {log}"


rule tables:
    """One table, measured rows beside published ones."""
    input:
        variants=lambda wildcards: expand(
            "<results>/variant/{name}.json", name=membership.shown_in(study, wildcards.table)
        ),
        costs=lambda wildcards: [
            f"<results>/cost/{study.owner('cost', name)}.json"
            for name in membership.shown_in(study, wildcards.table)
            if wildcards.table == "table3"
        ],
    output:
        "<results>/tables/{table}.csv",
    log:
        "<results>/tables/{table}.log",
    wildcard_constraints:
        table="|".join((*TABLES, *MVTEC_TABLES)),
    conda:
        "../envs/st3d.yaml"
    resources:
        **SMALL,
    params:
        code=code_of("tables"),
    shell:
        "python -m st3d tables --table {wildcards.table} --variants {input.variants} --costs {input.costs}"
        " --output {output} --code {params.code} 2> {log}"


rule gallery:
    """A category's test scans and maps, the ground truth outlined."""
    input:
        f"<results>/maps/{SHOWN}/{{category}}/maps.csv",
    output:
        "<results>/tables/gallery/{category}.png",
    log:
        "<results>/tables/gallery/{category}.log",
    conda:
        "../envs/st3d.yaml"
    resources:
        **SMALL,
    params:
        dataset=DATASET,
        listing=own_scans("test"),
        maps=lambda wildcards: f"{config['results']}/maps/{SHOWN}",
        settings=settings("gallery"),
        code=code_of("gallery"),
    shell:
        "python -m st3d gallery --dataset {params.dataset:q} --category {wildcards.category} --maps {params.maps}"
        " --manifest {input} --output {output} {params.settings} --code {params.code} 2> {log}"


rule summary:
    """All tables and figures in one readable page."""
    input:
        tables=expand("<results>/tables/{table}.csv", table=TABLES),
        gallery=expand("<results>/tables/gallery/{category}.png", category=config["categories"]),
    output:
        "<results>/tables/summary.md",
    log:
        "<results>/tables/summary.log",
    conda:
        "../envs/st3d.yaml"
    resources:
        **SMALL,
    params:
        code=code_of("summary"),
    shell:
        "python -m st3d summary --tables {input.tables} --gallery {input.gallery} --output {output}"
        " --code {params.code} 2> {log}"
