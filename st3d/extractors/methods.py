"""The feature extractors beside the teacher. It imports nothing heavy, since the workflow reads it too."""

# of each method, the module of its `load`; by name, so that a change in one reruns nothing of another
MODULES = {
    "fcgf": "extractors.fcgf.extractor",
    "ppf_foldnet": "extractors.ppf_foldnet.extractor",
    "fpfh": "extractors.fpfh",
}
