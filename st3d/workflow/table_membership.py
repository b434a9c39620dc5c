"""Which tables show a variant, and its cells there, derived from what the variant changes.

Only the rules use this module; like `config`, it imports nothing heavy.
"""

from pathlib import Path

from st3d.workflow.config import Study
from st3d.workflow.stages import BASELINES, EXTRACTORS, STUDENTS, VARIABLE, Settings, sees

PAPER_WIDTHS = (64, 128)  # the descriptor dimensions of Tables 1 and 2


def group(study: Study, variant: str) -> str:
    """What part of Table 4 a variant belongs to by what it changes; empty for all other parts."""
    changed = differences(study, variant, "base")
    if "extractor.method" in changed:
        return "feature_extractor"
    return "pretraining_dataset" if "scenes.source" in changed else ""


def pretraining(study: Study, variant: str) -> str:
    """The names of the data that a variant's scenes are made of."""
    return "+".join(Path(source).name for source in study.variants[variant]["scenes"]["source"])


def weights(study: Study, variant: str) -> str:
    """What a variant's students learn from, and where its weights come from; Shape-Guided's experts; else empty."""
    settings = study.variants[variant]
    method = settings["extractor"]["method"]
    if study.method(variant) == "shape_guided":
        return _experts(settings)
    if study.method(variant) not in STUDENTS:
        return ""
    if method == "fpfh":
        return "fpfh, which has none"
    if method == "teacher" and settings["teacher"]["weights"] == "random":
        return "teacher, random"
    if study.pretrained(variant):
        return "teacher, the package's"
    checkpoint = "" if method == "teacher" else settings[EXTRACTORS[method]]["checkpoint"]
    source = f"checkpoint: {Path(checkpoint).name}" if checkpoint else f"trained on {pretraining(study, variant)}"
    return f"{method}, {source}"


def _experts(settings: Settings) -> str:
    """Where the weights of Shape-Guided's shape expert, and of its colour expert if it has one, come from."""
    checkpoint, colour = settings["sdf_expert"]["checkpoint"], settings["colour"]
    found = f"checkpoint: {Path(checkpoint).name}" if checkpoint else "trained here"
    if settings["detector"]["modality"] == "3d":
        return found
    given = f", checkpoint: {Path(colour['weights']).name}" if colour["weights"] else ""
    return f"{found}; {colour['network']}{given}"


def latent(study: Study, variant: str) -> int:
    """The length of the latent vector of a variant's method; 0 where it has none."""
    return study.variants[variant].get(study.method(variant), {}).get("latent", 0)


def differences(study: Study, variant: str, other: str) -> list[str]:
    """Which `section.key`s of a variant differ from another's of its method, among those that this method reads."""
    settings, others = study.variants[variant], study.variants[other]
    read = sees("score", settings) | (sees("cost") if study.method(variant) == "3d_st" else frozenset())
    return [
        f"{section}.{key}"
        for section in VARIABLE
        for key in settings[section]
        if {section, f"{section}.{key}"} & read and settings[section][key] != others[section][key]
    ]


def hyperparameter(study: Study, variant: str) -> str:
    """What a variant varies against the first declared one of its method and modality.

    `none`, `points`, `neighbours`, `width`, `latent`, or `other` (anything else, or several).
    """
    names = {"graph.points": "points", "graph.neighbours": "neighbours", "network.width": "width"}
    names[f"{study.method(variant)}.latent"] = "latent"
    detector = study.variants[variant]["detector"]
    first = next(name for name, settings in study.variants.items() if settings["detector"] == detector)
    changed = differences(study, variant, first)
    return "none" if not changed else names.get(changed[0], "other") if len(changed) == 1 else "other"


def repeated(study: Study, variant: str) -> str:
    """The first declared variant that differs from this one in seeds alone; itself if there is none."""
    for name in study.variants:
        if study.variants[name]["detector"] == study.variants[variant]["detector"]:
            changed = differences(study, variant, name)
            if all(each.endswith(".seed") for each in changed):
                return name
    return variant


def shown_in(study: Study, table: str) -> list[str]:
    """The variants, among those to run, that a table shows; the further tables show all of 3D-ST."""
    return [variant for variant in study.running if shows(study, table, variant)]


def shows(study: Study, table: str, variant: str) -> bool:
    """Whether a table shows a variant; the papers' tables show their own methods alone, in their own protocol."""
    if repeated(study, variant) != variant:  # another seed; rows.csv and seeds.csv of the evidence have it
        return False
    if table == "methods":
        return study.method(variant) not in ("3d_st", *BASELINES) or _as_first(study, variant)
    if study.method(variant) not in ("3d_st", *BASELINES) or study.variants[variant]["score"] != study.config["score"]:
        return False
    varied, width = hyperparameter(study, variant), study.variants[variant]["network"]["width"]
    if study.method(variant) in BASELINES:
        if table in ("mvtec_table2", "mvtec_table5"):
            return varied == "none"
        if study.variants[variant]["detector"]["modality"] != "3d":
            return False
        if table == "mvtec_table4":
            return latent(study, variant) > 0 and varied in ("none", "latent")
        return table in ("table1", "auroc", "sampled_au_pro") and varied == "none"
    if table.startswith("mvtec_"):
        return False
    if table in ("table1", "table2"):
        return varied == "none" or (varied == "width" and width in PAPER_WIDTHS)
    if table == "table3":
        return varied != "other"
    if table == "table4":  # the base too, over the same categories as the others
        return varied == "other" or variant == "base"
    return True


def _as_first(study: Study, variant: str) -> bool:
    """Whether a variant differs from the first one of its method and modality in how it is scored alone."""
    detector = study.variants[variant]["detector"]
    first = next(name for name, settings in study.variants.items() if settings["detector"] == detector)
    return all(name.partition(".")[0] in ("score", "objects") for name in differences(study, variant, first))


def protocol(study: Study, variant: str) -> str:
    """How a variant's maps are scored: full, all pixels at the scans' own size; or the size of object images."""
    settings = study.variants[variant]
    if settings["score"]["pixels"] == "scan":
        return "full"
    return f"{settings['objects']['size']}{'' if settings['objects']['mask'] == 'none' else '_masked'}"


def compared(study: Study) -> list[str]:
    """The categories of variants that only tables of means show; all if no compared one is among them."""
    every = study.config["categories"]
    return [name for name in every if name in study.config["comparison_categories"]] or list(every)


def categories(study: Study, variant: str) -> list[str]:
    """The categories that a variant is run on: all of them if a table has a column for each, else the compared ones."""
    per_category = ("table1", "table2", "mvtec_table2", "mvtec_table5", "methods")
    everywhere = any(shows(study, table, repeated(study, variant)) for table in per_category)
    return list(study.config["categories"]) if everywhere else compared(study)
