"""Equality: the simulator against itself one iteration at a time, and against an independent plain reference."""
