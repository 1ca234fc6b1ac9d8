"""What a rule returns: the value, the name of the rule, and the legs that the value comes from."""

from typing import Generic, TypeVar

import msgspec

from tollbook.model.call_leg import CallLeg

Value = TypeVar("Value")
Rule = TypeVar("Rule", bound=str)


class Decision(msgspec.Struct, Generic[Value, Rule], frozen=True, gc=False):
    """A value with the rule that gave it. `legs` are those that it comes from; empty: the root alone.

    `rule` is one of a Literal that stands beside the deciding function. `explain/sentences.py` has a sentence for
    each. A msgspec struct, because every call makes a dozen: 40 ns each, where a NamedTuple takes 290.
    """

    value: Value
    rule: Rule
    legs: tuple[CallLeg, ...] = ()
