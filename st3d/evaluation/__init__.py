"""Evaluation: maps, scores, costs, and the tables and figures made of them.

What must not enter: training. Methods are reached by name, so that one's change reruns nothing of another.
"""
