"""Model: decoders of the Llama and Qwen families: their sizes, their weights, and the forward pass over paged KV."""
