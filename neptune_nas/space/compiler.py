"""The compiler from templates to nodes; it refuses whatever gives one architecture two names."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from neptune_nas.architecture.fields import (
    Open,
    field_names,
    is_closed,
    is_frozen,
    is_plain,
    is_record,
    is_same,
)
from neptune_nas.errors import SpaceError
from neptune_nas.files.rules import as_plain
from neptune_nas.files.schema import cut
from neptune_nas.space.joint import Copies, Fields, Items, Joint, SharedCopies, spans
from neptune_nas.space.language import Choice, IntegerRange, Repeat, Tie, Where
from neptune_nas.space.nodes import FREE, Either, Fixed, Node, Numbers, Tied
from neptune_nas.space.overlap import overlap
from neptune_nas.space.rules import Filtered, Rule, Ruled

Label = str | int | float | bool | None


class Compiler:
    """Compiles one template and checks that a tie stands for the same template everywhere."""

    def __init__(self, space: str) -> None:
        self.space = space
        self.ties: dict[str, tuple[object, Tied]] = {}

    def compile(self, template: object, path: str = "") -> Node:
        """Return the node of `template`; raises `SpaceError` with the path of what is wrong."""
        match template:
            case Choice():
                return self._either(template, path)
            case IntegerRange():
                return Numbers(range(template.low, template.high + 1, template.step))
            case Repeat():
                kind = SharedCopies if template.shared else Copies
                item = self.compile(template.template, f"{path}.*")
                return kind(item, template.low, template.high)
            case Tie():
                return self._tied(template, path)
            case Where():
                return self._where(template, path)
            case tuple() if not is_closed(template):
                return self._items(template, path)
            case _ if is_record(template) and not is_frozen(template):
                raise self._mutable_error(template, path)
            case _ if is_record(template) and not is_closed(template):
                return self._record(template, path)
            case Open():
                raise SpaceError(
                    f"{self._at(path)} is {template!r}, a word that spaces do not know."
                )
            case _:
                self._check_fixed(template, path)
                return Fixed(template)

    def _mutable_error(self, record: object, path: str) -> SpaceError:
        return SpaceError(
            f"{self._at(path)} is a {type(record).__name__}, whose fields can change: "
            f"make its class a @dataclass(frozen=True)."
        )

    def _check_fixed(self, value: object, path: str) -> None:
        """Refuse a value that JSON would change, at any depth."""
        parts: dict[str, object] = {}
        if isinstance(value, tuple):
            parts = {str(i): item for i, item in enumerate(value)}
        elif is_record(value):
            if not is_frozen(value):
                raise self._mutable_error(value, path)
            parts = {name: getattr(value, name) for name in field_names(type(value))}
        elif not is_plain(value):
            remedy = f": write {cut(as_plain(value))}" if is_plain(as_plain(value)) else ""
            raise SpaceError(
                f"{self._at(path)} must be a finite number, a string, a boolean, None, a tuple or "
                f"a record, but got {cut(value)}{remedy}."
            )
        for name, part in parts.items():
            self._check_fixed(part, f"{path}.{name}" if path else name)

    def _at(self, path: str) -> str:
        return f"space '{self.space}': `{path}`" if path else f"space '{self.space}': the template"

    def _either(self, template: Choice, path: str) -> Either:
        options = tuple(
            self.compile(option, f"{path}[{k}]") for k, option in enumerate(template.options)
        )
        for (i, a), (j, b) in combinations(enumerate(options), 2):
            if overlap(a, b):
                raise SpaceError(
                    f"{self._at(path)} has two options for one value, so architectures "
                    f"would have two names: option {i} ({template.options[i]!r}) and option {j} "
                    f"({template.options[j]!r}) overlap; make them differ."
                )
        return Either(options, labels_of(template.options))

    def _tied(self, template: Tie, path: str) -> Tied:
        if template.name in self.ties:
            first, node = self.ties[template.name]
            if not is_same(first, template.template):
                raise SpaceError(
                    f"{self._at(path)} ties '{template.name}' to {template.template!r}, but "
                    f"elsewhere the same name stands for {first!r}: use two names."
                )
            return node
        inner = self.compile(template.template, f"~{template.name}")
        if any(given != FREE for given in inner.counts):
            raise SpaceError(
                f"{self._at(path)} has a tie inside tie '{template.name}': keep one of them."
            )
        node = Tied(template.name, inner)
        self.ties[template.name] = (template.template, node)
        return node

    def _where(self, template: Where, path: str) -> Filtered | Ruled:
        rules: list[Rule] = [template.rule]
        while isinstance(template.template, Where):
            template = template.template
            rules.insert(0, template.rule)
        node = self.compile(template.template, path)
        ruled: Filtered | Ruled = (
            Ruled(node.parts, node.form, tuple(rules))
            if isinstance(node, Joint) and isinstance(node.form, Fields)
            else Filtered(node, tuple(rules), self._at(path))
        )
        _ = ruled.counts  # refuses here a rule that fails or leaves nothing
        return ruled

    def _items(self, template: tuple[object, ...], path: str) -> Joint:
        parts = tuple(self.compile(item, f"{path}.{i}") for i, item in enumerate(template))
        lengths = tuple(map(spans, parts))
        if sum(span is not None and len(span) > 1 for span in lengths) > 1:
            raise SpaceError(
                f"{self._at(path)} has two repeats of varying length side by side, so where one "
                f"ends is ambiguous: keep one of them."
            )
        return Joint(parts, Items(lengths))

    def _record(self, template: Any, path: str) -> Joint:
        names = field_names(type(template))
        prefix = f"{path}." if path else ""
        parts = tuple(self.compile(getattr(template, n), f"{prefix}{n}") for n in names)
        return Joint(parts, Fields(type(template), names, self._at(path)))


def labels_of(options: Sequence[object]) -> tuple[Label, ...]:
    """Return a short readable label for each option, all different.

    >>> from neptune_nas.architecture.records import Attention, Conv
    >>> labels_of([Conv(3), Conv(5), Attention(heads=Choice((2, 4))), None])
    ('Conv(kernel=3, groups=1)', 'Conv(kernel=5, groups=1)', 'Attention', None)
    """
    labels = [_label(option) for option in options]
    return tuple(
        f"{label} #{k}"
        if any(_alike(label, other) for other in labels[:k] + labels[k + 1 :])
        else label
        for k, label in enumerate(labels)
    )


def _alike(a: Label, b: Label) -> bool:
    return a == b or str(a) == str(b)  # 1 equals True, and "1" reads like it


def _label(option: object) -> Label:
    if option is None or isinstance(option, str | int | float):
        return option
    while isinstance(option, Tie | Where):
        option = option.template
    if is_closed(option):
        return repr(option)
    name = type(option).__name__
    return name if is_record(option) and not isinstance(option, Open) else name.lower()
