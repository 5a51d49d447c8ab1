"""Shape rules: what an op's outputs must be, given its inputs and attributes.

A rule takes an op and returns the shapes its outputs must have. If the inputs or attributes do not fit one
another it raises TraceError with the field at fault in ``where``.
"""
