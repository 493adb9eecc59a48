"""Texts that make careless patterns explode: characters repeated, alternated and nested."""

import itertools
import random

SEED = 11
# The characters and words that mean something to a rule; each is repeated, alternated and nested.
ALPHABET = [
    *"ab1_-.%=:;,&/?#@'\"\\()[]{}<>|+~$^*! \n\r\té", "%41", "%25", "://", "('", '\\"', "\\\\", "\\n",
    "\\r\\n", "password=", "password: ", "token=(", "a=", "'a',", '{"a":', "--a ", "[a]", "u:p@", "key ",
    "-----BEGIN PRIVATE KEY-----", "-----END", " [type=a, input_value=", '["token","', "name=token value",
    "name: token", "Bearer ", "://a:", "it's", "b'", '"""',
]  # fmt: skip
PREFIXES = ["", "password=", '{"password": "', "https://a:", "Authorization: "]


def patterns() -> list[str]:
    """Return repeated, alternated and nested units, the same ones each time."""
    chosen = random.Random(SEED)
    pairs = [left + right for left, right in itertools.product(ALPHABET, repeat=2)]
    longer = ["".join(chosen.choices(ALPHABET, k=chosen.randint(3, 6))) for _ in range(100)]
    return [*ALPHABET, *chosen.sample(pairs, 200), *longer]


def texts(unit: str, length: int) -> list[str]:
    """Return texts of a length that consist of a unit, behind what makes a rule look at it."""
    repeated = unit * (length // len(unit) + 1)
    nested = unit * (length // len(unit) // 2) + unit[::-1] * (length // len(unit) // 2)
    prefix = PREFIXES[len(unit) % len(PREFIXES)]
    return [(prefix + repeated)[:length], (PREFIXES[1] + nested)[:length]]
