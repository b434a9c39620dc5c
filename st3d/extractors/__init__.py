"""Extractors: feature extractors that a student can learn from beside the teacher, each loaded by its method's name.

What must not enter: the teacher and the student; another extractor's code.
"""
