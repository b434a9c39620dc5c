"""The command line: `python -m st3d STAGE --flag value ...`; a stage's signature and docstring are flags and help."""

import importlib
import logging
import os
import re
import sys
import threading
import time
import traceback

import cyclopts

STAGES = {
    # stage: one line for `python -m st3d --help`, which imports no stage
    "furniture": "Simulate furniture meshes in ModelNet10's kinds and layout.",
    "stand_ins": "Simulate point clouds in the place of Semantic KITTI, 3DMatch or MVTec ITODD.",
    "simulation": "Simulate one category's scans in MVTec 3D-AD's layout.",
    "download_modelnet10": "Fetch ModelNet10's meshes.",
    "download_mvtec_3d_ad": "Fetch MVTec 3D-AD's scans.",
    "download_3dmatch": "Fetch the fragments of one of 3DMatch's scenes.",
    "scenes": "Place meshes at random into scenes, or take point clouds, and thin these to points.",
    "thin": "Drop a scan's invalid pixels and thin it by farthest point sampling.",
    "graph": "Find each point's nearest neighbours.",
    "scale": "Measure the mean distance of a point to its neighbours.",
    "teacher": "Pretrain the teacher on scenes.",
    "pretrain_fcgf": "Pretrain FCGF on scenes, or take given weights.",
    "pretrain_ppf_foldnet": "Pretrain PPF-FoldNet on scenes, or take given weights.",
    "fpfh": "Say what fast point feature histograms are made of.",
    "student": "Train one category's student on the teacher's, or another extractor's, descriptors.",
    "frame": "Find a category's bounding box, background plane and camera.",
    "voxels": "Turn one split's scans into voxel grids.",
    "depth": "Turn one split's scans into depth images.",
    "gan": "Train one category's GAN and the encoder into its latent space, on voxel grids or depth images.",
    "autoencoder": "Train one category's autoencoder on voxel grids or depth images.",
    "variation": "Measure the mean and deviation of one category's voxels or pixels.",
    "maps": "Make the anomaly maps of a category's test scans.",
    "score": "Compute a category's AU-PRO and image AUROC.",
    "cost": "Measure seconds and memory of training and of inference.",
    "variant": "Gather one variant's scores of all categories.",
    "tables": "Write one of the tables, measured beside published.",
    "gallery": "Draw test scans and maps side by side.",
    "summary": "Write the readable page of all tables and pictures.",
    "inspect": "Score one scan: its map, a picture and its score.",
}
WHERE = {  # commands that do not live in the module of their own name
    "download_modelnet10": "download",
    "download_mvtec_3d_ad": "download",
    "download_3dmatch": "download",
    "inspect": "detector",
}


def command_line(stage: str) -> cyclopts.App:
    """The commands; only `stage`'s module is imported, the others are known by name."""
    app = cyclopts.App(
        name="st3d",
        help="3D-ST: anomaly detection in 3D point clouds. Each command is a stage of the workflow; see README.md.",
        default_parameter=cyclopts.Parameter(consume_multiple=True, negative=()),
    )
    for name, line in STAGES.items():
        module = f"st3d.{WHERE.get(name, name)}"
        if name == stage:
            function = getattr(importlib.import_module(module), name)
            function.__doc__ = described(function.__doc__)
            app.command(function, name=name)
        else:
            app.command(f"{module}:{name}", name=name, help=line)
    return app


def described(docstring: str) -> str:
    """A numpydoc docstring whose `name : what it is` lines become a name and a description, which --help shows."""
    head, line, parameters = docstring.partition("----------\n")
    return head + line + re.sub(r"^( +)(\w+) : (.+)$", r"\1\2\n\1    \3", parameters, flags=re.MULTILINE)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a fault in what the user gave is one line on stderr and exit code 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    _end_with(os.environ.get("ST3D_PARENT"))
    stage = arguments[0] if arguments and arguments[0] in STAGES else ""
    try:
        if arguments and not stage and not arguments[0].startswith("-"):
            raise ValueError(f"{arguments[0]}: no such stage; these are: {', '.join(STAGES)}")
        command_line(stage)(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except Exception as error:
        # torch's OutOfMemoryError goes by its name: most commands import no torch
        expected = isinstance(error, ValueError | OSError | MemoryError | cyclopts.CycloptsError)
        if not expected and type(error).__name__ != "OutOfMemoryError":
            raise
        if os.environ.get("ST3D_TRACEBACK"):
            traceback.print_exc()
        message = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"{f'st3d {stage}'.strip()}: {message}\n")
        return 1
    return 0


def _end_with(parent: str | None) -> None:
    """End this process within a second of `parent`'s end: a job must not outlive a killed workflow and write later."""

    def watch(pid: int) -> None:
        while True:
            time.sleep(0.5)
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                os._exit(1)
            except PermissionError:
                pass  # it lives, and is another user's

    if parent:
        threading.Thread(target=watch, args=(int(parent),), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
