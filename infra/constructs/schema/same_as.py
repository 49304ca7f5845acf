"""Facts that one source lacks and the other has of the same thing, and a few that both lack.

Only what holds for both backends alike is carried over: numbers' ranges, texts' lengths and patterns, lists'
counts. An enumeration is carried only where SAME_VALUES names it, because Terraform often takes more than the API.
"""

from model import descend, inner_object

# Terraform type and attribute, CloudFormation type and property. A dotted path goes into blocks.
SAME = []

# What AWS documents and the CloudFormation schema does not say.
CORRECTIONS = [
    ("AWS::Kinesis::Stream", "RetentionPeriodHours", {"min": 24}),
]

LIMITS = {"number": ("min", "max"), "text": ("min", "max", "patterns"), "list": ("min", "max")}


def carry_over(resources, types):
    """Completes both sides in place."""
    for name, path, facts in CORRECTIONS:
        complete(property_at(types, name, path), facts | {}, overwrite=True)
    for terraform, attribute, cloudformation, prop in SAME:
        ours = property_at(resources, "r/" + terraform, attribute)
        complete(ours, limits(property_at(types, cloudformation, prop)["shape"]))


def property_at(schemas, name, path):
    """The property, which must exist: a table that points nowhere is a mistake in it."""
    *parents, last = path.split(".")
    holder = descend(schemas[name]["root"], parents)
    if holder is None or last not in holder["properties"]:
        raise SystemExit(f"same_as.py: {name} has no {path}")
    return holder["properties"][last]


def limits(shape):
    kind = shape[0]
    facts = shape[-1] if kind in LIMITS else {}
    return {key: facts[key] for key in LIMITS.get(kind, ()) if facts.get(key)}


def complete(prop, facts, overwrite=False):
    shape = prop["shape"]
    own = shape[-1]
    known = {key: value for key, value in facts.items() if overwrite or key not in own}
    if shape[0] in LIMITS:
        prop["shape"] = (*shape[:-1], own | known)
