"""Extractors: feature extractors that can take the teacher's place, each loaded by its method's name.

What must not enter: the teacher and the student; another extractor's code.
"""
