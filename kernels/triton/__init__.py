"""Triton kernels: one operation a file, each with the plain function of a shape that chooses how it is launched.

Triton compiles them for a GPU, or interprets them on a CPU where `TRITON_INTERPRET=1` is set before the first import.
"""
