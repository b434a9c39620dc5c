"""PPF-FoldNet (Deng, Birdal and Ilic, ECCV 2018): network, features, pretraining.

What must not enter: other extractors.
"""
