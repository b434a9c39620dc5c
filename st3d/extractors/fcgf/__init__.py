"""FCGF (Choy, Park and Koltun, "Fully Convolutional Geometric Features", ICCV 2019): network, loss, pretraining.

What must not enter: other extractors.
"""
