"""Damaged and hostile files for every reader of st3d.

`mutations` changes bytes, `trees` nested content, `containers` what lies inside PNG, zip and HDF5 files; `archives`
packs hostile members. `originals` writes the good files, `readers` says who reads them and what a right result is.
`worker` reads files in a process of its own, `campaign` runs the workers and counts.
"""
