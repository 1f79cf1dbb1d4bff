"""Seeds that depend on what is measured, never on which worker measures it or when."""

from hashlib import sha256

_SEED_BYTES = 4  # every library takes a seed of 32 bits
_SEEDS = 2**32


def seed_for(study_seed: int, key: str, repeat: int = 0) -> int:
    """Return the seed for the `repeat`-th measurement of the architecture `key`, 0..2**32-1.

    All fidelities of one architecture share a seed, so that each rung starts from equal weights.
    Repeats have consecutive seeds, so that each draws another run of a table.
    """
    digest = sha256(f"{study_seed}|{key}|0".encode()).digest()
    first = int.from_bytes(digest[:_SEED_BYTES], "big")
    return (first + repeat) % _SEEDS
