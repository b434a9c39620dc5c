"""Tables: the paper's, measured rows beside published ones; and the one of all methods."""

from st3d.workflow import report_content

TABLES = ("table1", "table2", "table3", "table4", "auroc", "sampled_au_pro")
MVTEC_TABLES = ("mvtec_table2", "mvtec_table4", "mvtec_table5")  # the dataset paper's; not part of `all`


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
        "python -m st3d variant --variant {wildcards.variant} --score {input:q} --categories {params.categories}"
        " --varied {params.varied} --group {params.group} --weights {params.weights}"
        " --pretraining {params.pretraining} --latent {params.latent} {params.settings} --output {output.json:q}"
        " --table {output.csv:q} --code {params.code} 2> {log:q}"


rule methods_table:
    """Every method in one table: scores, seconds, memory."""
    input:
        expand("<results>/variant/{name}.json", name=membership.shown_in(study, "methods")),
    output:
        report("<results>/tables/methods.csv", caption="captions/table.rst", category="Tables"),
    log:
        "<results>/tables/methods.log",
    conda:
        "../envs/st3d.yaml"
    resources:
        **SMALL,
    params:
        protocols=[membership.protocol(study, name) for name in membership.shown_in(study, "methods")],
        weights=[membership.weights(study, name) or "its own scans" for name in membership.shown_in(study, "methods")],
        jobs=lambda wildcards: [
            f"{name}={config['results']}/{folder}"
            for name in membership.shown_in(study, "methods")
            for folder in report_content.jobs(study, name)
        ],
        code=code_of("methods"),
    shell:
        "python -m st3d methods --variants {input:q} --protocols {params.protocols} --weights {params.weights:q}"
        " --jobs {params.jobs:q} --output {output:q} --code {params.code} 2> {log:q}"


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
        report("<results>/tables/{table}.csv", caption="captions/table.rst", category="Tables"),
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
        "python -m st3d tables --table {wildcards.table} --variants {input.variants:q} --costs {input.costs:q}"
        " --output {output:q} --code {params.code} 2> {log:q}"
