"""Training: what a rollout's samples teach a small model: a task whose answers can be checked, a loss, a state to keep."""
