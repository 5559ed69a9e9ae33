"""Traffic: reading traces, generating workloads, the catalogue."""
