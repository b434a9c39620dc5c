"""What the report shows of a study, derived from its variants.

Only the rules use this module; like `config`, it imports nothing heavy.
"""

import hashlib
from collections.abc import Sequence

from st3d.workflow.config import Study
from st3d.workflow.stages import EXTRACTORS, STAGES, STUDENTS, chain, sees, value
from st3d.workflow.table_membership import categories, differences, shown_in

BASE = "base"  # the variant that the others differ from
UNTRAINED = ("fpfh", "voxel_vm", "depth_vm", "btf_fpfh", "shape_guided")  # stages that have no loss


def shown(study: Study) -> str:
    """The variant whose scans, losses and scores are shown: the base, or the first one if the base does not run."""
    return BASE if BASE in study.running else study.running[0]


def compared(study: Study) -> list[str]:
    """The variants whose PRO curves are drawn: the shown one and those of Table 1."""
    return list(dict.fromkeys([shown(study), *shown_in(study, "table1")]))


def reported(study: Study, tables: Sequence[str]) -> list[str]:
    """The variants, among those to run, whose scores the report reads: those of its tables and the shown one."""
    found = {name for table in tables for name in shown_in(study, table)} | {shown(study)}
    return [name for name in study.running if name in found]


def losses(study: Study, variant: str, categories: Sequence[str]) -> dict[str, str]:
    """What was trained for a variant, and the file of its losses below the results.

    Parameters
    ----------
    study
        The study.
    variant
        Its name.
    categories
        Its categories.

    Returns
    -------
    Paths by name: the extractor's stage, then each category's student or model
    """
    method = study.method(variant)
    stage = "student" if method in STUDENTS else method
    found = {}
    if method in STUDENTS:
        extractor = EXTRACTORS[study.variants[variant]["extractor"]["method"]]
        if extractor not in UNTRAINED and not study.pretrained(variant):
            found[extractor] = f"{extractor}/{study.owner(extractor, variant)}/loss.csv"
    if stage not in UNTRAINED:
        owner = study.owner(stage, variant)
        found |= {category: f"{stage}/{owner}/{category}/loss.csv" for category in categories}
    return found


def jobs(study: Study, variant: str) -> list[str]:
    """Folders below the results that hold the logs of the jobs which a variant's scores need."""
    found: dict[str, None] = {}
    for stage in sorted(chain("score", study.variants[variant])):
        found[f"{stage.removesuffix('_scenes').removesuffix('_scans')}/{study.owner(stage, variant)}"] = None
    return list(found)


def logs(study: Study) -> list[str]:
    """Folders and files below the results that hold the logs of the jobs which the study's variants need."""
    found: dict[str, None] = {}
    for variant in study.running:
        found |= dict.fromkeys(jobs(study, variant))
        found[f"variant/{variant}.log"] = None
    for variant in shown_in(study, "table3"):
        found[f"cost/{study.owner('cost', variant)}.log"] = None
    return [*found, f"validation_maps/{study.owner('maps', shown(study))}", "tables"]


def has_scenes(study: Study, variant: str) -> bool:
    """Whether scenes lead to a variant's scores."""
    return "scenes" in chain("score", study.variants[variant]) and not study.pretrained(variant)


def settings(study: Study, variant: str) -> list[str]:
    """A variant's settings, section.key=value, of all that leads to its scores."""
    chosen = study.variants[variant]
    seen = sees("score", chosen)
    found = []
    order = [name.partition(".")[0] for _, names in STAGES.values() for name in names]  # of the stages
    for section in dict.fromkeys([*(name for name in order if name in chosen), *chosen]):
        content = chosen[section]
        if isinstance(content, dict):
            found += [
                f"{section}.{key}={each}" for key, each in content.items() if {section, f"{section}.{key}"} & seen
            ]
        elif section in seen:
            found.append(f"data.{section}={content}")
    return found


def settings_hash(study: Study, variant: str) -> str:
    """A hash of all that a row of the evidence depends on in the config: settings and categories; 16 digits."""
    chosen = study.variants[variant]
    seen = [*settings(study, variant), f"categories={categories(study, variant)}"]
    seen += [f"{section}={sorted(chosen[section].items())}" for section in ("interval", "cost")]
    return hashlib.sha256("\n".join(sorted(seen)).encode()).hexdigest()[:16]


def differing(study: Study, variant: str) -> str:
    """What a variant has set otherwise than the base, of what leads to its scores: section.key=value, by blanks."""
    names = differences(study, variant, BASE)
    return " ".join(f"{name}={value(study.variants[variant], name)}" for name in names)
