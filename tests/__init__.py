"""Tests, by subject."""
