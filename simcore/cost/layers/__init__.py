"""Layers: step times from a profile of one layer's kernels, whose attention was measured over whole batches."""
