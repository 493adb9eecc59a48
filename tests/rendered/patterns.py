"""Texts that make careless patterns backtrack: characters repeated, alternated and nested."""

import itertools
import random

SEED = 11
# Characters and words that rules react to; each is repeated, alternated and nested.
ALPHABET = [
    *"ab1_-.%=:;,&/?#@'\"\\()[]{}<>|+~$^*! \n\r\té", "%41", "%25", "://", "('", '\\"', "\\\\", "\\n",
    "\\r\\n", "password=", "password: ", "token=(", "a=", "'a',", '{"a":', "--a ", "[a]", "u:p@", "key ",
    "-----BEGIN PRIVATE KEY-----", "-----END", " [type=a, input_value=", '["token","', "name=token value",
    "name: token", "Bearer ", "://a:", "it's", "b'", '"""',
]  # fmt: skip
PREFIXES = ["", "password=", '{"password": "', "https://a:", "Authorization: "]


def patterns() -> list[str]:
    """Return repeated, alternated and nested units, the same on every run."""
    chosen = random.Random(SEED)
    pairs = [left + right for left, right in itertools.product(ALPHABET, repeat=2)]
    longer = ["".join(chosen.choices(ALPHABET, k=chosen.randint(3, 6))) for _ in range(100)]
    return [*ALPHABET, *chosen.sample(pairs, 200), *longer]


def texts(unit: str, length: int) -> list[str]:
    """Return texts of this length made of the unit, after a prefix that triggers a rule."""
    repeated = unit * (length // len(unit) + 1)
    nested = unit * (length // len(unit) // 2) + unit[::-1] * (length // len(unit) // 2)
    prefix = PREFIXES[len(unit) % len(PREFIXES)]
    return [(prefix + repeated)[:length], (PREFIXES[1] + nested)[:length]]
