"""Draws docs/stages.svg, the stages and what each reads from which, after `st3d/workflow/stages.py`.

python docs/draw_stages.py
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "stages", "font.family": "sans-serif"}
import matplotlib.pyplot as plt  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))
from st3d.workflow.stages import COMMAND_OF, COMMANDS, STAGES  # noqa: E402

PLACES = {  # node: (x, y); in three columns pretraining, scans and baselines, from above
    "furniture": (0.9, 0), "surrogates": (2.6, 0), "simulation": (5.6, 0),
    "scenes": (1.75, 1), "downsampling": (5.6, 1), "frame": (8.3, 1),
    "graph_scenes": (1.75, 2), "graph_scans": (5.6, 2), "voxels": (7.5, 2), "depth": (9.1, 2),
    "scale_scenes": (2.6, 3), "scale_scans": (5.6, 3),
    "gan": (6.9, 4.2), "autoencoder": (8.3, 4.2), "variation": (9.8, 4.2),
    "pretrain_fcgf": (-0.2, 4.2), "pretrain_ppf_foldnet": (2.0, 4.2), "teacher": (3.95, 4.2), "fpfh": (5.0, 4.2),
    "objects": (11.4, 1), "btf_fpfh": (10.7, 5.4), "sdf_expert": (12.8, 4.2), "shape_guided": (12.3, 5.4),
    "student": (5.0, 5.4), "calibration": (3.6, 6.4), "calibrated": (4.6, 6.0), "maps": (5.6, 6.4), "score": (5.6, 7.2),
    "cost": (7.2, 7.2), "interval": (3.9, 7.2),
    "variant": (5.6, 8), "tables": (5.6, 8.8), "report": (5.6, 9.6), "evidence_row": (3.9, 8.8),
    "evidence": (3.9, 9.6),
}  # fmt: skip
LATER = [
    ("score", "variant"),
    ("variant", "tables"),
    ("cost", "tables"),
    ("tables", "report"),
    ("variant", "evidence_row"),
    ("interval", "evidence_row"),
    ("cost", "evidence_row"),
    ("evidence_row", "evidence"),
]
DATA = [
    ("furniture", "scenes"),
    ("surrogates", "scenes"),
    ("simulation", "downsampling"),
    ("simulation", "frame"),
    ("simulation", "objects"),
]
COLOURS = {
    "simulation": "#e8dcc0", "student_teacher": "#cfe0f3", "extractors": "#dcd3ee", "baselines": "#f3d6d0",
    "memory_banks": "#f0e3a8", "evaluation": "#d3e8d0",
}  # fmt: skip


def node(stage: str) -> str:
    """The node of a stage; a method on voxels and its sister on depth images are one."""
    return stage if stage in PLACES else COMMAND_OF[stage]


def draw(path: Path) -> None:
    """Draw every stage and its edges."""
    package = {command: name for name, commands in COMMANDS.items() for command in commands} | {"report": "evaluation"}
    edges = {(node(first), node(stage)) for stage, (before, _) in STAGES.items() for first in before}
    edges -= {("objects", "score")}  # of one protocol alone, and across the picture
    figure, axes = plt.subplots(figsize=(11.6, 7.6))
    for first, last in sorted(edges | {*DATA, *LATER}):
        (x, y), (to_x, to_y) = PLACES[first], PLACES[last]
        axes.annotate(
            "", (to_x, to_y - 0.23), (x, y + 0.23), arrowprops={"arrowstyle": "-|>", "color": "#888888", "lw": 0.9}
        )
    for name, (x, y) in PLACES.items():
        label = COMMAND_OF.get(name, name)
        box = {"boxstyle": "round,pad=0.4", "facecolor": COLOURS[package[label]], "edgecolor": "#666666"}
        axes.text(x, y, label, ha="center", va="center", size=10, bbox=box)
    for number, (name, colour) in enumerate(COLOURS.items()):
        box = {"boxstyle": "square,pad=0.3", "facecolor": colour, "edgecolor": "none"}
        axes.text(-1.0, 6.6 + 0.55 * number, name, size=10, va="center", bbox=box)
    axes.set(xlim=(-1.2, 13.4), ylim=(10, -0.4))
    axes.axis("off")
    figure.savefig(path, bbox_inches="tight", pad_inches=0.05, facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(__file__).parent / "stages.svg")
