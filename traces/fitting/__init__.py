"""Fitting: distributions fitted to public traces, and how far what we generate is from what was measured."""
