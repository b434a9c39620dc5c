"""The report: one page of what was run, tables, figures, scans and losses, and the files that it shows.

What must not enter: anything that computes a score or trains; a number of the page is read from a result's file.
"""
