"""One symbolic trace from several of one model with other sizes: all that an importer of numbers needs.

`merge` finds for each size of the traces the expression of symbols that it is; `fits` finds one such expression.
"""
