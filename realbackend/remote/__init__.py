"""Remote: a request moves to an engine in another process, its KV over torch.distributed."""
