"""What every runner's Config shares: three profiles, a seed, and values that are checked with a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Self, TypeVar, get_args, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

from ftlab.errors import CourseError, unknown

Count = Annotated[int, Gt(0)]  # how many; at least one
Positive = Annotated[float, Gt(0), Lt(math.inf)]  # a rate or a time; more than zero
Share = Annotated[float, Ge(0), Le(1)]  # a part of a whole
Strength = Annotated[float, Ge(0), Lt(math.inf)]  # of a pull; zero is none
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]  # numpy takes no larger seed

PROFILES = ("smoke", "cpu", "gpu")
Part = TypeVar("Part", bound="RunConfig")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The fields that all runners have. A runner adds its own, each with a comment on unit and direction."""

    profile: str = "cpu"  # smoke: seconds, tiny random weights; cpu: the recorded runs; gpu: models by Hub id
    seed: Seed = 0  # weights of new layers, order of the examples, dropout

    @classmethod
    def make(cls, presets: Mapping[str, Mapping[str, Any]], profile: str, given: Mapping[str, Any]) -> Self:
        """A checked Config: the class's defaults, then the profile's values, then what the person gave.

        `given` may hold text (from a command line) or values; both are checked against the field's type.
        Raises CourseError for an unknown profile or field, and for a value that does not fit.
        """
        if profile not in presets:
            raise unknown("profile", profile, list(presets))
        hints = get_type_hints(cls, include_extras=True)
        values: dict[str, Any] = {**presets[profile], **given, "profile": profile}
        return cls(**{name: _checked(cls, hints, name, value) for name, value in values.items()})

    def part(self, kind: type[Part]) -> Part:
        """The fields of `kind`, a base class of this config: what decides a step that other runs share."""
        return kind(**{field.name: getattr(self, field.name) for field in fields(kind)})

    def as_dict(self) -> dict[str, Any]:
        """All fields by name, ready for JSON."""
        return asdict(self)


def _checked(cls: type[RunConfig], hints: Mapping[str, Any], name: str, value: Any) -> Any:
    """`value` as the type of field `name`, or a CourseError that says what the field takes."""
    from pydantic import TypeAdapter, ValidationError

    if name not in hints:
        raise unknown("field", name, [field.name for field in fields(cls)])
    if value == "None" and type(None) in get_args(hints[name]):
        return None
    adapter = TypeAdapter(hints[name])
    try:
        return adapter.validate_strings(value) if isinstance(value, str) else adapter.validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Input ").replace("should be", "it should be")
        default = next(field.default for field in fields(cls) if field.name == name)
        raise CourseError(
            f"The field {name!r} cannot take {value!r}: {reason}. "
            f"Its default is {default!r}; try {'--seed ' if name == 'seed' else f'--set {name}='}{default}."
        ) from error
