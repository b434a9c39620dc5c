"""Evidence: all that was measured of each variant, and the folder of it that is kept with the code.

What must not enter: anything that computes a score or trains; a number here is read from a result's file.
"""
