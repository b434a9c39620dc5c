"""Training: device, threads, memory, optimizer, inputs and the run, as every training needs them.

What must not enter: a network, a loss, a method; each training loop stands in its own stage.
"""
