"""CloudFormation resource schemas as shapes."""

import re

from model import ANY, descend, inner_object, new_object, new_schema, pattern

TAGS_MAP, TAGS_PAIRS, TAGS_AT_LAUNCH = 1, 2, 3
DEEPEST = 24
# Keywords of an alternative that only says which properties must be there.
ONLY_REQUIRED = {"required", "description", "title", "type"}


def schemas(sources, summary):
    """{type: schema} of every resource type."""
    return {name: schema(source, summary[name]) for name, source in sources.items()}


def schema(source, facts):
    root = Reader(source.get("definitions", {})).object(source, ())
    for keyword, mark in (("readOnlyProperties", "read_only"), ("writeOnlyProperties", "write_only"), ("deprecatedProperties", "deprecated")):
        for path in source.get(keyword, []):
            mark_at(root, dotted(path), mark)
    ref = facts.get("ref") or facts["primary_identifier"]
    return new_schema(
        root,
        arn=facts.get("arn_template", ""),
        tags=tags(root, facts.get("tags")),
        ref=ref,
        attributes=facts.get("get_att", []),
        replaces=[".".join(dotted(path)) for path in source.get("createOnlyProperties", [])],
    )


def dotted(path):
    return [name for name in path.split("/")[2:] if name != "properties"]


def mark_at(root, path, mark):
    """Marks a property. What is read-only is never required."""
    holder = descend(root, [name for name in path[:-1] if name != "*"])
    if holder is not None and path[-1] in holder["properties"]:
        prop = holder["properties"][path[-1]]
        prop[mark] = True
        if mark == "read_only":
            prop["required"] = False


def tags(root, name):
    if not name or name not in root["properties"]:
        return None
    shape = root["properties"][name]["shape"]
    if shape[0] == "map":
        return TAGS_MAP, name
    inner = inner_object(shape)
    keys = set(inner["properties"]) if inner and shape[0] == "list" else set()
    if "PropagateAtLaunch" in keys:
        return TAGS_AT_LAUNCH, name
    return (TAGS_PAIRS, name) if {"Key", "Value"} <= keys else None


class Reader:
    """Reads one schema, whose definitions it knows."""

    def __init__(self, definitions):
        self.definitions = definitions

    def shape(self, node, seen):
        """The shape of a node. `seen` are the definitions around it; one inside itself can hold anything."""
        if "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[-1]
            if name in seen or len(seen) > DEEPEST or name not in self.definitions:
                return ANY
            beside = {key: value for key, value in node.items() if key != "$ref"}
            return self.shape(self.definitions[name] | beside, (*seen, name))
        kind = node.get("type") or guess(node)
        if isinstance(kind, list):
            return self.several(node, kind, seen)
        if kind == "object" and "properties" not in node and alternatives(node):
            return self.one_of(alternatives(node), seen)
        read = {"string": self.text, "integer": self.number, "number": self.number, "array": self.list, "object": self.object_or_map}
        if kind == "boolean":
            return ("bool",)
        if kind in read:
            return read[kind](node, seen)
        return self.one_of(alternatives(node), seen) if alternatives(node) else ANY

    def several(self, node, kinds, seen):
        if len(kinds) > 2:
            return ANY
        shapes = [self.shape(node | {"type": kind}, seen) for kind in sorted(kinds)]
        return shapes[0] if len(shapes) == 1 else ("oneof", shapes)

    def one_of(self, nodes, seen):
        shapes = [self.shape(node, seen) for node in nodes]
        return ANY if ANY in shapes else ("oneof", shapes)

    def number(self, node, _seen):
        facts = {"integer": node.get("type") == "integer"}
        facts |= {short: node[key] for short, key in (("min", "minimum"), ("max", "maximum")) if key in node}
        facts |= {"enum": node["enum"]} if "enum" in node else {}
        return ("number", facts)

    def text(self, node, _seen):
        facts = {short: int(node[key]) for short, key in (("min", "minLength"), ("max", "maxLength")) if node.get(key)}
        facts |= enumeration(node)
        known = pattern(node["pattern"]) if "pattern" in node else None
        facts |= {"patterns": [known]} if known else {}
        facts |= {"formats": formats(node)} if formats(node) else {}
        return ("text", facts)

    def list(self, node, seen):
        facts = {short: int(node[key]) for short, key in (("min", "minItems"), ("max", "maxItems")) if node.get(key) is not None}
        facts["unique"] = node.get("uniqueItems")
        return ("list", self.shape(node.get("items", {}), seen), facts)

    def object_or_map(self, node, seen):
        values = list(node.get("patternProperties", {}).values())
        if node.get("properties") or (not values and node.get("additionalProperties") is False):
            return ("object", self.object(node, seen))
        return ("map", self.shape(values[0], seen) if len(values) == 1 else ANY)

    def object(self, node, seen):
        closed = node.get("additionalProperties") is False and not node.get("patternProperties")
        obj = new_object(open_=not closed)
        required = set(node.get("required", []))
        for part in node.get("allOf", []):
            required |= set(part.get("required", []))
        for name, inner in node["properties"].items() if "properties" in node else ():
            obj["properties"][name] = {"shape": self.shape(inner, seen), "required": name in required}
        obj["relations"] = [known for known in relations(node) if within(known, obj)]
        return obj


def guess(node):
    """The type of a node that does not say it."""
    if node.get("format") == "json":
        return ["object", "string"]  # a document, or its text: policies say so most of the time
    if "properties" in node or "patternProperties" in node:
        return "object"
    if "items" in node:
        return "array"
    if "enum" in node or "pattern" in node or "enumCaseInsensitive" in node:
        return "string"
    return None


def alternatives(node):
    """Alternatives that are shapes of their own, not only lists of required properties."""
    found = node.get("oneOf") or node.get("anyOf") or []
    shaped = [part for part in found if set(part) - ONLY_REQUIRED or "type" in part]
    return found if found and len(shaped) == len(found) else []


def enumeration(node):
    """Allowed values. The broker's are upper case, with a pattern per value that admits any case."""
    cased = [part["enum"] for part in node.get("anyOf", []) if "enum" in part]
    if "enumCaseInsensitive" in node or cased:
        return {"enum": cased[0] if cased else node["enumCaseInsensitive"], "nocase": True}
    values = node.get("enum") or ([node["const"]] if "const" in node else None)
    return {"enum": [str(value) for value in values]} if values else {}


def formats(node):
    """What the string is, where that is known of every alternative."""
    if "format" in node:
        found = [node["format"]]
    else:
        found = [part.get("format", "") for part in node.get("anyOf", [])]
    return found if all(name == "json" or name.startswith("AWS::") for name in found) else []


# Relations --------------------------------------------------------------------------------------


def relations(node):
    """What the keywords about several properties say. Sets in which a property appears alone are told simply."""
    found = []
    for keyword, kind in (("requiredXor", "exactly_one"), ("requiredOr", "at_least_one")):
        if keyword in node:
            found.append((kind, sorted(node[keyword])))
    for keyword, kind in (("dependentRequired", "requires"), ("dependencies", "requires"), ("dependentExcluded", "excludes")):
        for name, others in sorted(node.get(keyword, {}).items()):
            if isinstance(others, list):
                found.append((kind, [name], sorted(others)))
    for keyword, sets, single in (("anyOf", "any_of", "at_least_one"), ("oneOf", "one_of", "exactly_one")):
        parts = node.get(keyword, [])
        if parts and all("required" in part and not set(part) - ONLY_REQUIRED for part in parts):
            found.append(required_sets(parts, sets, single))
    return [known for index, known in enumerate(found) if known not in found[:index]]


def required_sets(parts, sets, single):
    names = [sorted(part["required"]) for part in parts]
    if all(len(each) == 1 for each in names):
        return (single, sorted(each[0] for each in names))
    return (sets, *names)


def within(relation, obj):
    return all(name in obj["properties"] for names in relation[1:] for name in names)
