"""Formats: the only places that read or write files; each says in one line what is wrong with one.

What must not enter: networks, training, the method. Formats may call kernels, never the other way round.
"""
