"""A second cluster, written plainly from docs/mechanisms.md: blocks, flows and iterations touched one by one.

It shares the contract with the simulator, the counter hash and the names of links, and nothing else.
"""
