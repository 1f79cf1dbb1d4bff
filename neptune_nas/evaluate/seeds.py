"""Seeds that depend on what is measured, never on who measures it or when."""

from hashlib import sha256

SEED_BYTES = 4  # every library takes a seed of 32 bits


def seed_for(study_seed: int, key: str, repeat: int = 0) -> int:
    """The seed with which the architecture `key` is measured for the `repeat`-th time, 0..2**32-1.

    All fidelities of one architecture share it, so that a rung goes on from equal weights.
    """
    digest = sha256(f"{study_seed}|{key}|{repeat}".encode()).digest()
    return int.from_bytes(digest[:SEED_BYTES], "big")
