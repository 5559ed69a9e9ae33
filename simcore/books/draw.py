"""Draws: random numbers for decisions, from a counter hash instead of a generator with state.

SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) over a chain of keys: the same key gives the same number whoever
asks and however often, which is what common random numbers need.
"""

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def mix(state: int) -> int:
    """Return the SplitMix64 output for `state`, an unsigned 64-bit integer.

    >>> hex(mix(0))
    '0xe220a8397b1dcdaf'
    """
    z = (state + _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def seed_of(*key: int) -> int:
    """Fold integers into one 64-bit seed; the order of the key matters."""
    state = 0
    for part in key:
        state = mix(state ^ (part & _MASK))
    return state


def uniform(seed: int, key: tuple[int, ...]) -> float:
    """Return a number in [0, 1), the same for the same `seed` and `key`."""
    for part in key:
        seed = mix(seed ^ (part & _MASK))
    return (seed >> 11) * 2.0**-53
