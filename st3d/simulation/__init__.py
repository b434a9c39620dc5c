"""Simulation: the data that the embedded default runs on, in the file layouts of the real data sets.

What must not enter: anything that trains or scores; the rest of the package sees its files alone.
"""
