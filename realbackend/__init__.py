"""Real backend: the same policies over real tensors: a model, its KV blocks, and copies that move bytes."""
