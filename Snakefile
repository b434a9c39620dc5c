"""3D-ST, reproduced: from meshes and scans to the paper's Tables 1 to 4.

meshes -> scenes -> graph -> scale -> teacher ; scans -> downsampling -> graph -> scale -> student -> maps -> score -> tables, report
MVTec 3D-AD's own methods: scans -> frame -> voxels, depth -> gan, autoencoder, variation -> maps -> score -> tables, report
Memory banks: scans -> objects -> btf_fpfh, shape_guided -> maps -> score -> tables
"""

import logging

from snakemake.utils import min_version

logging.raiseExceptions = False  # a log file that a full disk does not take is no reason for a traceback

min_version("9.27.1")


configfile: f"{workflow.basedir}/config.yaml"


include: "rules/common.smk"  # checks the config; input functions
include: "rules/start.smk"  # before the first job: console, locks, a look at the data
include: "rules/data.smk"  # furniture, simulation, downloads
include: "rules/scenes.smk"  # synthetic scenes for pretraining
include: "rules/downsampling.smk"  # scans, downsampled
include: "rules/graph.smk"  # nearest neighbours
include: "rules/scale.smk"  # the length unit of a training set
include: "rules/teacher.smk"  # pretraining
include: "rules/extractors.smk"  # feature extractors in the teacher's place
include: "rules/student.smk"  # one student per category
include: "rules/calibrated.smk"  # 3D-ST's scores against those of anomaly-free scans
include: "rules/calibration.smk"  # model files, to judge scans with
include: "rules/frame.smk"  # scans as voxel grids and depth images
include: "rules/gan.smk"  # MVTec 3D-AD's own methods, per category
include: "rules/autoencoder.smk"
include: "rules/variation.smk"
include: "rules/objects.smk"  # scans as the memory banks read them
include: "rules/shape_guided.smk"
include: "rules/btf_fpfh.smk"  # memory banks, per category
include: "rules/maps.smk"  # anomaly maps
include: "rules/score.smk"  # AU-PRO, AUROC; seconds and memory
include: "rules/tables.smk"  # the paper's tables
include: "rules/report.smk"  # the report
include: "rules/evidence.smk"  # what was measured, to be kept
include: "rules/cluster.smk"  # groups of jobs; last, for it looks at all rules


# On a cluster these stay where snakemake runs: what takes a second, and what needs the network.
localrules:
    variant,
    tables,
    methods_table,
    evidence_row,
    evidence,
    download_modelnet10,
    download_mvtec_3d_ad,
    download_3dmatch,


rule all:
    """The report, and the tables that it shows."""
    default_target: True
    input:
        expand("<results>/tables/{table}.csv", table=TABLES),
        "<results>/report/index.html",


rule table1:
    """AU-PRO at 0.3 per category."""
    input:
        "<results>/tables/table1.csv",


rule table2:
    """AU-PRO at smaller integration limits."""
    input:
        "<results>/tables/table2.csv",


rule table3:
    """AU-PRO, seconds and memory over the number of points, of neighbours and the descriptor dimension."""
    input:
        "<results>/tables/table3.csv",


rule table4:
    """AU-PRO of other ways to train, other pretraining data and other feature extractors."""
    input:
        "<results>/tables/table4.csv",


rule mvtec_table2:
    """AU-PRO at 0.3 per category of MVTec 3D-AD's own methods, without and with RGB."""
    input:
        "<results>/tables/mvtec_table2.csv",


rule mvtec_table4:
    """AU-PRO of MVTec 3D-AD's own methods over the latent dimension."""
    input:
        "<results>/tables/mvtec_table4.csv",


rule mvtec_table5:
    """Image AUROC per category of MVTec 3D-AD's own methods, without and with RGB."""
    input:
        "<results>/tables/mvtec_table5.csv",


rule methods:
    """Every method in one table: 3D-ST, calibrated 3D-ST, memory banks, MVTec 3D-AD's own; beside published."""
    input:
        "<results>/tables/methods.csv",


rule models:
    """The base's model files, for st3d predict: teacher, student and thresholds of each category."""
    input:
        expand("<results>/calibration/base/{category}/model.st3d", category=config["categories"]),


for variant in study.running:

    rule:
        """One variant's scores in its categories: variant_<name>."""
        name:
            f"variant_{variant}"
        input:
            f"<results>/variant/{variant}.json",
