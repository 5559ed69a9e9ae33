"""Training: a task whose answers can be checked, and how a small model learns from its own samples."""
