"""Fidelity: simulated runs beside measured ones, and cost models fitted to measured ones."""
