"""Policies: one file, one policy. Decisions only: facts in, actions out, time passed in."""
