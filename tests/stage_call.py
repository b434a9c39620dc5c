"""Stages called with flat settings, as their command line takes them."""

import dataclasses
import inspect


def call(stage, **flags):
    """Call a stage; fields of its groups of settings are given by their own names."""
    arguments = {}
    for name, parameter in inspect.signature(stage).parameters.items():
        if dataclasses.is_dataclass(parameter.annotation):
            fields = [each.name for each in dataclasses.fields(parameter.annotation)]
            arguments[name] = parameter.annotation(**{each: flags.pop(each) for each in fields})
        else:
            arguments[name] = flags.pop(name)
    assert not flags, flags
    return stage(**arguments)
