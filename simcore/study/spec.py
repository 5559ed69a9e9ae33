"""Spec: what the mappings of a study are made of: strict types, short forms, words that stand for "none"."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, WrapValidator

from simcore.study.errors import shown


class Spec(BaseModel):
    """A mapping of a study: unknown keys are errors, a string is not a number, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def short_for(key: str, default: str | None = None) -> BeforeValidator:
    """Let a bare string stand for `{key: string}`, and `default` for the key left out of a mapping."""

    def spell_out(value: Any) -> Any:
        if isinstance(value, str):
            return {key: value}
        return {key: default} | value if default and isinstance(value, dict) else value

    return BeforeValidator(spell_out)


def or_else(written: Any, kind: Any, otherwise: Any) -> WrapValidator:
    """Read a value of the Python type (or types) `written` as `kind`, any other as `otherwise`.

    A plain union would report what is wrong with each of its members.
    """
    as_kind, as_otherwise = TypeAdapter(kind), TypeAdapter(otherwise)

    def read(value: Any, _: Any) -> Any:
        return (as_kind if isinstance(value, written) else as_otherwise).validate_python(value)

    return WrapValidator(read)


def _false_is_off(value: Any) -> Any:
    # YAML 1.1, and people who read it, take `off` for false.
    return "off" if value is False else value


def _slug(name: str) -> str:
    if not name or not all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in name):
        raise ValueError(f"must be letters, digits, - and _, got {shown(name)}: it names folders and columns")
    return name


OFF = BeforeValidator(_false_is_off)
Off = Literal["off"]

Positive = Annotated[float, Field(gt=0, le=1e9)]
NotNegative = Annotated[float, Field(ge=0, le=1e9)]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Natural = Annotated[int, Field(ge=0, lt=2**63)]
Percent = Annotated[int, Field(ge=1, le=100)]
Slug = Annotated[str, AfterValidator(_slug)]
