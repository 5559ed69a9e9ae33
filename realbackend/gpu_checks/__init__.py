"""GPU checks: all that can only be seen on a GPU, in slices of a few minutes that can be stopped and gone on with.

`make gpu`, or `python -m realbackend.gpu_checks --slice NAME`. docs/gpu.md says what each slice shows.
"""
