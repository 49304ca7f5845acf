"""Terraform provider schemas, and the constraints beside them, as shapes."""

from model import ANY, descend, inner_object, new_object, new_schema, pattern

KINDS = {"resource_schemas": "r/", "data_source_schemas": "d/", "ephemeral_resource_schemas": "e/"}
TAGS_MAP, TAGS_AT_LAUNCH = 1, 3
FORMATS = {"arn", "json"}


def schemas(provider_schemas, constraints):
    """{kind/type: schema} of every resource, data source and ephemeral resource, and of the aws provider."""
    found = {}
    for provider, groups in provider_schemas.items():
        for group, prefix in KINDS.items():
            for name, entry in groups[group].items():
                found[prefix + name] = schema(prefix, entry["block"])
        if provider == "hashicorp/aws":
            found["p/aws"] = new_schema(block(groups["provider"]["block"]))
    for name, facts in constraints.items():
        if "r/" + name in found:
            constrain(found["r/" + name], facts)
    return found


def schema(prefix, entry):
    root = block(entry)
    properties = root["properties"]
    if prefix == "r/" and "id" in properties and not properties["id"].get("required"):
        properties["id"]["read_only"] = True
    return new_schema(root, tags=tags(properties))


def tags(properties):
    if "tags" in properties and properties["tags"]["shape"][0] == "map" and not properties["tags"].get("read_only"):
        return TAGS_MAP, "tags"
    inner = "tag" in properties and inner_object(properties["tag"]["shape"])
    if inner and "propagate_at_launch" in inner["properties"]:
        return TAGS_AT_LAUNCH, "tag"
    return None


def block(entry):
    obj = new_object()
    for name, attribute in entry.get("attributes", {}).items():
        obj["properties"][name] = {
            "shape": cty(attribute["type"], attribute.get("computed")),
            "required": attribute.get("required"),
            "read_only": attribute.get("computed") and not attribute.get("optional"),
            "write_only": attribute.get("write_only"),
            "sensitive": attribute.get("sensitive"),
            "deprecated": attribute.get("deprecated"),
        }
    for name, nested in entry.get("block_types", {}).items():
        obj["properties"][name] = {"shape": nested_block(nested), "required": nested.get("min_items", 0) > 0}
    return obj


def nested_block(nested):
    inner = ("object", block(nested["block"]))
    if nested["nesting_mode"] == "single":
        return inner
    facts = {"block": True}
    facts |= {limit: nested[limit + "_items"] for limit in ("min", "max") if nested.get(limit + "_items")}
    return ("list", inner, facts)


def cty(kind, computed=False):
    """A cty type. In an attribute that is an object, JSON must name every member, if only as null."""
    if isinstance(kind, str):
        return {"string": ("text", {}), "number": ("number", {}), "bool": ("bool",)}.get(kind, ANY)
    outer, inner = kind
    if outer in ("list", "set"):
        return ("list", cty(inner), {})
    if outer == "map":
        return ("map", cty(inner))
    if outer != "object":
        return ANY
    obj = new_object()
    for name, member in inner.items():
        obj["properties"][name] = {"shape": cty(member), "required": True, "named": True}
    return ("object", obj)


# Constraints ------------------------------------------------------------------------------------


def constrain(entry, facts):
    for path, limits in facts.get("attrs", {}).items():
        apply(entry["root"], path, limits)
    for kind, relation in (("conflicts", "at_most_one"), ("exactly_one", "exactly_one"), ("at_least_one", "at_least_one")):
        for names in facts.get(kind, []):
            relate(entry["root"], relation, names)
    for name, others in facts.get("required_with", []):
        require(entry["root"], name, others)
    entry["replaces"] = facts.get("force_new", [])


def apply(root, path, limits):
    *parents, name = path.split(".")
    holder = descend(root, parents)
    if holder is not None and name in holder["properties"]:
        prop = holder["properties"][name]
        prop["shape"] = limited(prop["shape"], limits)


def limited(shape, limits):
    """The shape with the limits that belong to its kind; those of a list's items go to the items."""
    kind = shape[0]
    if kind == "text":
        return ("text", shape[1] | text_facts(limits))
    if kind == "number":
        facts = {limit: limits[limit] for limit in ("min", "max") if limit in limits}
        values = limits.get("int_enum") or limits.get("enum")
        facts |= {"enum": sorted(values)} if values else {}
        return ("number", shape[1] | facts)
    if kind == "list":
        facts = {limit: limits[limit + "_items"] for limit in ("min", "max") if limit + "_items" in limits}
        return ("list", limited(shape[1], limits) if shape[1][0] != "object" else shape[1], shape[2] | facts)
    return shape


def text_facts(limits):
    facts = {limit: limits[limit + "_len"] for limit in ("min", "max") if limits.get(limit + "_len")}
    if "enum" in limits:
        facts |= {"enum": limits["enum"], "nocase": limits.get("nocase")}
    patterns = limits.get("patterns", []) + ([limits["pattern"]] if "pattern" in limits else [])
    patterns = [known for known in map(pattern, patterns) if known]
    if patterns:
        facts["patterns"] = patterns
    if limits.get("format") in FORMATS:
        facts["formats"] = [limits["format"]]
    return facts


def relate(root, relation, paths):
    """Attaches a relation to the object its names share; one across objects cannot be told, and is left out."""
    holder, names = shared(root, paths)
    if holder is not None:
        holder["relations"].append((relation, sorted(names)))


def require(root, path, others):
    holder, names = shared(root, [path, *others])
    if holder is not None:
        holder["relations"].append(("requires", names[:1], sorted(names[1:])))


def shared(root, paths):
    split = [path.split(".") for path in paths]
    parents = split[0][:-1]
    holder = descend(root, parents)
    together = all(names[:-1] == parents for names in split)
    known = together and holder is not None and all(names[-1] in holder["properties"] for names in split)
    return (holder, [names[-1] for names in split]) if known else (None, [])
