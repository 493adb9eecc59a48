"""Find the secrets that a value holds under secret names, to scrub them from other texts."""

import dataclasses
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from types import MemberDescriptorType
from typing import Any, NamedTuple

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from .library_code import is_library_class
from .secret_names import LABELS, QUOTING, is_secret
from .texts import READ_LIMIT, to_text

VALUE_LIMIT = 1_000  # values visited in one search
SECRET_LIMIT = 100
ITEM_LIMIT = 100
PART_LIMIT = 8  # characters; shorter parts of a secret are ordinary words

_SEPARATORS = re.compile(r"[\s;,]+")
_CREDENTIALS = re.compile(r"://[^\s/?#:@]{0,256}:(?P<password>[^\s/?#@]{4,256})@")

_LISTS = frozenset({list, tuple, set, frozenset})
CONTAINERS = _LISTS | {dict}
WITHOUT_PARTS = frozenset({str, bytes, bytearray, int, float, bool, complex, type(None), type})

Members = Iterable[tuple[object, object]]


class SearchResult(NamedTuple):
    """The secrets found, and whether the search was complete."""

    secrets: set[str]
    complete: bool


def find_secrets(*values: object) -> SearchResult:
    """Return the texts that `values` hold under secret names, in nested objects too.

    Library objects are searched only if they are one of `values`: they lead to everything else.
    The search runs no property and no `__repr__`.
    """
    search = _Search({id(value) for value in values})
    waiting = deque(values)
    # Breadth first, so that one large value does not hide the others.
    while waiting and search.left > 0:
        waiting.extend(search.look_into(waiting.popleft()))
    complete = search.complete and not waiting and len(search.secrets) <= SECRET_LIMIT
    return SearchResult(set(islice(search.secrets, SECRET_LIMIT)), complete)


class _Search:
    """One search: its findings, and how many values it may still visit."""

    def __init__(self, given: set[int]) -> None:
        self.secrets: set[str] = set()
        self.complete = True
        self.left = VALUE_LIMIT
        self._given = given
        self._seen: set[int] = set()

    def look_into(self, value: object) -> Iterator[object]:
        """Keep what `value` holds under secret names, and yield its other members."""
        if type(value) in WITHOUT_PARTS or id(value) in self._seen:
            return
        self._seen.add(id(value))
        taken = list(islice(_members(value, id(value) in self._given), ITEM_LIMIT + 1))
        self.complete = self.complete and len(taken) <= ITEM_LIMIT
        self.left -= len(taken)
        for name, member in taken[:ITEM_LIMIT]:
            is_named = name is not None and is_secret(name_text(name))
            if is_named or isinstance(member, SecretStr | SecretBytes | Secret):
                self._keep(member)
            else:
                yield member

    def _keep(self, value: object) -> None:
        texts = list(islice(texts_of(value), SECRET_LIMIT))
        self.left -= len(texts)
        for text in texts:
            self.secrets.add(text)
            self.secrets.update(_parts(text))


def _parts(secret: str) -> Iterator[str]:
    """Yield parts that are secret alone: the token after a scheme, cookies, a URL's password."""
    for part in _SEPARATORS.split(secret[:READ_LIMIT], maxsplit=SECRET_LIMIT):
        value = part.rpartition("=")[2] if "=" in part.rstrip("=") else part
        if len(value) >= PART_LIMIT and value != secret:
            yield value
    if credentials := _CREDENTIALS.search(secret[:READ_LIMIT]):
        yield credentials["password"]


def name_text(name: object) -> str:
    """Return a name as text; decode bytes."""
    if type(name) is str:
        return name
    return name[-128:].decode("latin-1") if isinstance(name, bytes) else to_text(name)


def texts_of(value: object) -> Iterator[str]:
    """Yield the texts of a secret, each truncated at `READ_LIMIT`."""
    waiting, looks = [value], VALUE_LIMIT
    while waiting and looks > 0:
        looks -= 1
        part = waiting.pop()
        if isinstance(part, SecretStr | SecretBytes | Secret):
            part = part.get_secret_value()
        if isinstance(part, bytes | bytearray):
            part = bytes(part[:READ_LIMIT]).decode("utf-8", "backslashreplace")
        if isinstance(part, str | int | float) and part is not True and part is not False:
            yield to_text(part)[:READ_LIMIT]
        elif isinstance(part, Mapping | list | tuple | set | frozenset):
            items = part.values() if isinstance(part, Mapping) else part
            waiting.extend(islice(items, min(ITEM_LIMIT, looks)))


def fields_of(value: object) -> Mapping[Any, object] | None:
    """Return the fields of a mapping, model, dataclass or named tuple, else None."""
    if type(value) in _LISTS:
        return None
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel):
        return {**value.__dict__, **(value.__pydantic_extra__ or {})}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        own = [field.name for field in dataclasses.fields(value)]
        return {name: getattr(value, name) for name in own if hasattr(value, name)}
    if isinstance(value, tuple) and (names := getattr(value, "_fields", None)):
        return dict(zip(names, value, strict=True))
    return None


def secret_by_content(fields: Mapping[Any, object]) -> frozenset[str]:
    """Return the keys whose values are secret because of the values of other keys.

    `{"name": "DB_PASSWORD", "value": …}`, and pydantic's `{"loc": ("password",), "input": …}`.
    """
    if "value" in fields:
        labels = map(fields.get, LABELS)
        if any(isinstance(name, str | bytes) and is_secret(name_text(name)) for name in labels):
            return frozenset({"value"})
    if "loc" in fields and "type" in fields and is_secret_place(fields["loc"]):
        return QUOTING
    return frozenset()


def is_secret_place(place: object) -> bool:
    """Return whether the `loc` of a validation error contains a secret name."""
    return isinstance(place, tuple | list) and any(
        isinstance(part, str) and is_secret(part) for part in place[:ITEM_LIMIT]
    )


def is_pair(items: list[Any] | tuple[Any, ...]) -> bool:
    """Return whether `items` could be a header: a name and its value."""
    return len(items) == 2 and isinstance(items[0], str | bytes)


def _members(value: object, is_given: bool) -> Members:
    try:
        fields = fields_of(value)
        if fields is not None:
            return _named_members(fields)
        if isinstance(value, list | tuple) and is_pair(value):
            return [(None, value[0]), (value[0], value[1])]
        if isinstance(value, list | tuple | set | frozenset):
            return ((None, item) for item in value)
        kind: Any = type(value)
        return _attributes(value) if is_given or not is_library_class(kind) else ()
    except Exception:  # the value raises when inspected
        return ()


def _named_members(fields: Mapping[Any, object]) -> Members:
    if not (secret := secret_by_content(fields)):
        return fields.items()
    items = islice(fields.items(), ITEM_LIMIT + 1)
    return [("secret" if name in secret else name, value) for name, value in items]


def _attributes(value: object) -> Members:
    """Return the attributes of an object, including those in `__slots__`."""
    attributes = getattr(value, "__dict__", None)
    found = list(islice(attributes.items(), ITEM_LIMIT + 1)) if type(attributes) is dict else []
    kind: Any = type(value)
    for name, slot in _slots(kind):
        try:
            found.append((name, slot.__get__(value)))
        except AttributeError:  # unset
            continue
    return found


@lru_cache(maxsize=256)
def _slots(kind: type[Any]) -> list[tuple[str, MemberDescriptorType]]:
    members = (item for base in kind.__mro__ for item in vars(base).items())
    return [(name, slot) for name, slot in members if isinstance(slot, MemberDescriptorType)]
