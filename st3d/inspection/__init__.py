"""Commands for one's own parts: simulate, fit, predict, evaluate.

They find files, call the detector, and write and say what it finds. What must not enter: training and scoring
themselves, which the detector and the stages do, and anything of the workflow.
"""
