"""A Predicate as a condition in SQL. Values and field names travel as bound parameters, never as SQL text."""

from __future__ import annotations

from typing import TypeAlias

from limner.core.errors import InputError
from limner.core.query import And, Compare, In, IsNull, Like, Not, Or, Predicate
from limner.core.types import FieldValue
from limner.index.database import encodable

Parameter: TypeAlias = str | bytes | int | float

BUILT_IN = ("id", "uri")
"""Text that every item has. A field of the same name cannot be asked for."""

_MOST_LEVELS = 100
_OPERATORS = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_IS_TEXT = "typeof(value) = 'text'"
_IS_NUMBER = "typeof(value) IN ('integer', 'real')"


def compile_predicate(predicate: Predicate) -> tuple[str, list[Parameter]]:
    """A condition on rows of the table `items`, and its parameters in order. It is never NULL.

    Numbers compare with numbers and text with text; a comparison of one with the other is false,
    also for "!=". LIKE looks at text only.
    """
    parameters: list[Parameter] = []
    return _condition(predicate, parameters, _MOST_LEVELS), parameters


def field_names(predicate: Predicate) -> set[str]:
    """The fields that the predicate asks for, without the built-in ones."""
    match predicate:
        case And(operands) | Or(operands):
            return set().union(*map(field_names, operands))
        case Not(operand):
            return field_names(operand)
        case _:
            return {predicate.field} - set(BUILT_IN)


def _condition(predicate: Predicate, parameters: list[Parameter], levels: int) -> str:
    if levels == 0:
        raise InputError(f"the filter is nested more than {_MOST_LEVELS} levels deep; write it flatter")
    match predicate:
        case And(operands):
            return _join(" AND ", operands, "1", parameters, levels)
        case Or(operands):
            return _join(" OR ", operands, "0", parameters, levels)
        case Not(operand):
            return f"NOT {_condition(operand, parameters, levels - 1)}"
        case IsNull(field):
            return "0" if field in BUILT_IN else _without_field(field, parameters)
        case _:
            return _on_value(predicate, parameters)


def _join(word: str, operands: tuple[Predicate, ...], when_empty: str, parameters: list[Parameter], levels: int) -> str:
    return f"({word.join(_condition(operand, parameters, levels - 1) for operand in operands) or when_empty})"


def _without_field(field: str, parameters: list[Parameter]) -> str:
    return f"items.key NOT IN (SELECT item FROM fields WHERE name = {_bind(field, parameters)})"


def _on_value(predicate: Compare | In | Like, parameters: list[Parameter]) -> str:
    if predicate.field in BUILT_IN:
        return f"({_test(predicate, f'items.{predicate.field}', '1', '0', parameters)})"
    name = _bind(predicate.field, parameters)
    test = _test(predicate, "value", _IS_TEXT, _IS_NUMBER, parameters)
    return f"items.key IN (SELECT item FROM fields WHERE name = {name} AND ({test}))"


def _test(predicate: Compare | In | Like, value: str, is_text: str, is_number: str, parameters: list[Parameter]) -> str:
    match predicate:
        case Like(_, pattern):
            return f"{is_text} AND {value} LIKE {_bind(pattern, parameters)}"
        case Compare(_, operator, operand):
            of_its_type = is_text if isinstance(operand, str) else is_number
            return f"{of_its_type} AND {value} {_OPERATORS[operator]} {_bind(operand, parameters)}"
        case In(_, operands):
            texts = ", ".join(_bind(operand, parameters) for operand in operands if isinstance(operand, str))
            numbers = ", ".join(_bind(operand, parameters) for operand in operands if not isinstance(operand, str))
            return f"({is_text} AND {value} IN ({texts})) OR ({is_number} AND {value} IN ({numbers}))"


def _bind(value: FieldValue, parameters: list[Parameter]) -> str:
    if isinstance(value, str):
        parameters.append(encodable(value))
        # The plus takes the type away from the expression: with one, SQLite could not use its index.
        return "?" if isinstance(parameters[-1], str) else "+CAST(? AS TEXT)"
    # Beyond 64 bits SQLite knows floating point only.
    parameters.append(value if isinstance(value, float) or abs(value) < 2**63 else float(value))
    return "?"
