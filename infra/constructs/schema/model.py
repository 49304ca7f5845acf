"""The one form both sources are brought into, and how a pack writes it down.

A shape is a tuple whose first item is its name:

    ("any",) ("bool",) ("map", shape) ("object", object) ("oneof", [shape, ...])
    ("number", {integer, min, max, enum})
    ("text", {enum, nocase, patterns, min, max, formats})
    ("list", shape, {min, max, unique, block})

An object is a dict of `properties` ({name: property}), `open` and `relations`; a property is a dict of
`shape` and its marks, see MARKS. A relation is a tuple of its name and lists of property names.
"""

import re
import struct
import zlib

MARKS = ["required", "read_only", "write_only", "sensitive", "deprecated", "named"]
RELATIONS = ["at_most_one", "exactly_one", "at_least_one", "requires", "excludes", "any_of", "one_of"]
ANY = ("any",)
DICTIONARY_BYTES = 32 * 1024


def new_object(open_=False):
    """An object without properties."""
    return {"properties": {}, "open": open_, "relations": []}


def new_schema(root, **facts):
    """A schema: its root object, and what is known beside it."""
    known = {"root": root, "arn": "", "tags": None, "ref": [], "attributes": None, "replaces": []}
    return known | facts


def descend(obj, names):
    """The object at a path of property names, through lists and maps, or None."""
    for name in names:
        inside = obj if name == "*" else None
        if name != "*":
            prop = obj["properties"].get(name)
            inside = prop and inner_object(prop["shape"])
        if inside is None:
            return None
        obj = inside
    return obj


def inner_object(shape):
    """The object a shape is, or is a list or map of."""
    while shape[0] in ("list", "map"):
        shape = shape[1]
    return shape[1] if shape[0] == "object" else None


# Patterns ---------------------------------------------------------------------------------------

# What the checker's engine does not know: look-around, Unicode classes, surrogates, back references.
UNKNOWN = re.compile(r"\(\?[=!<]|\\[pP]\{?|\\u[dD][89a-fA-F]|\\[1-9]|\\c")
TRIVIAL = {".*", "^.*$", "^.*", ".*$", r"[\s\S]*", r"[\S\s]*", r"^[\s\S]*$", r"^[\S\s]*$", "(?s).*", "^[^.]*$|.*"}
LONG_REPETITION = 256


def pattern(text):
    """The pattern in the checker's dialect, or None where it says nothing or cannot be written."""
    if text in TRIVIAL or UNKNOWN.search(text):
        return None
    text = escape_classes(text).replace("\\Z", "$")
    return re.sub(r"\{(\d+),(\d+)\}", shorten, text)


def shorten(match):
    """Long counted repetitions cost a state each; the length limits beside them say the same."""
    low, high = int(match[1]), int(match[2])
    if high <= LONG_REPETITION:
        return match[0]
    return {0: "*", 1: "+"}.get(low, "{%d,}" % min(low, LONG_REPETITION))


def escape_classes(text):
    """Escapes `[`, `&&`, `~~` and `\\w-` inside a class, where the checker's engine reads operators."""
    out, inside, index = [], False, 0
    while index < len(text):
        char = text[index]
        if char == "\\":
            out.append(text[index : index + 2])
            index += 2
            continue
        if not inside and char == "[":
            inside = True
            out.append(char)
            if text[index + 1 : index + 2] == "^":
                out.append("^")
                index += 1
            if text[index + 1 : index + 2] == "]":
                out.append("\\]")
                index += 1
        elif inside and char == "-" and re.search(r"\\[wds]$", out[-1]):
            out.append("\\-")
        elif inside and char == "[" and text[index + 1 : index + 2] != ":":
            out.append("\\[")
        elif inside and char in "&~" and text[index + 1 : index + 2] == char:
            out.append("\\" + char)
        else:
            if inside and char == "]":
                inside = False
            out.append(char)
        index += 1
    return "".join(out)


# Writing ----------------------------------------------------------------------------------------


class Writer:
    """Bytes of one schema: unsigned numbers in groups of seven bits, texts with their length before them."""

    def __init__(self):
        self.bytes = bytearray()

    def number(self, value):
        while value >= 0x80:
            self.bytes.append(value & 0x7F | 0x80)
            value >>= 7
        self.bytes.append(value)

    def text(self, value):
        data = str(value).encode()
        self.number(len(data))
        self.bytes += data

    def texts(self, values):
        self.number(len(values))
        for value in values:
            self.text(value)

    def flags(self, *values):
        self.number(sum(bool(value) << bit for bit, value in enumerate(values)))

    def schema(self, schema):
        self.object(schema["root"])
        self.text(schema["arn"])
        form, name = schema["tags"] or (0, "")
        self.number(form)
        self.text(name)
        self.texts(schema["ref"])
        self.flags(schema["attributes"] is not None)
        self.texts(sorted(schema["attributes"] or []))
        self.texts(sorted(schema["replaces"]))

    def object(self, obj):
        self.flags(obj["open"])
        self.number(len(obj["properties"]))
        for name, prop in sorted(obj["properties"].items()):
            self.text(name)
            self.flags(*(prop.get(mark) for mark in MARKS))
            self.shape(prop["shape"])
        self.number(len(obj["relations"]))
        for relation in obj["relations"]:
            self.relation(relation)

    def relation(self, relation):
        kind, *lists = relation
        self.number(RELATIONS.index(kind))
        self.number(len(lists))
        for names in lists:
            self.texts(names)

    def shape(self, shape):
        getattr(self, "shape_" + shape[0])(*shape[1:])

    def shape_any(self):
        self.number(0)

    def shape_bool(self):
        self.number(1)

    def shape_number(self, facts):
        self.number(2)
        self.flags(facts.get("integer"), "min" in facts, "max" in facts, facts.get("enum"))
        for limit in ("min", "max"):
            if limit in facts:
                self.text(facts[limit])
        if facts.get("enum"):
            self.texts(facts["enum"])

    def shape_text(self, facts):
        self.number(3)
        lists = [facts.get(key) for key in ("enum", "patterns", "formats")]
        self.flags(facts.get("nocase"), "min" in facts, "max" in facts, *lists)
        for limit in ("min", "max"):
            if limit in facts:
                self.number(facts[limit])
        for values in lists:
            if values:
                self.texts(values)

    def shape_list(self, item, facts):
        self.number(4)
        self.flags(facts.get("unique"), facts.get("block"), "min" in facts, "max" in facts)
        for limit in ("min", "max"):
            if limit in facts:
                self.number(facts[limit])
        self.shape(item)

    def shape_map(self, value):
        self.number(5)
        self.shape(value)

    def shape_object(self, obj):
        self.number(6)
        self.object(obj)

    def shape_oneof(self, shapes):
        self.number(7)
        self.number(len(shapes))
        for shape in shapes:
            self.shape(shape)


def write_pack(path, schemas):
    """Writes schemas by name. Layout in README.md."""
    names = sorted(schemas)
    raw = []
    for name in names:
        writer = Writer()
        writer.schema(schemas[name])
        raw.append(bytes(writer.bytes))
    dictionary = shared_words(raw)
    blobs = [deflate(data, dictionary) for data in raw]
    name_bytes = [name.encode() for name in names]
    packed_dictionary = deflate(dictionary, b"")
    with open(path, "wb") as file:
        file.write(struct.pack("<4sII", b"NLS1", len(names), len(packed_dictionary)))
        for parts in (name_bytes, blobs):
            end = 0
            for part in parts:
                end += len(part)
                file.write(struct.pack("<I", end))
        file.write(packed_dictionary + b"".join(name_bytes) + b"".join(blobs))


def deflate(data, dictionary):
    """The length, then raw deflate, with what came before it given as dictionary."""
    head = Writer()
    head.number(len(data))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, *([dictionary] if dictionary else []))
    return bytes(head.bytes) + packer.compress(data) + packer.flush()


def shared_words(raw):
    """Byte runs that many schemas have in common, the most valuable last, where deflate reaches them cheapest."""
    counts = {}
    for data in raw:
        for word in set(re.findall(rb"[\x03-\x7f][A-Za-z0-9_.:^$\[\]{}|*+?()/\\ -]{3,}[\x00-\x1f]{0,6}", data)):
            counts[word] = counts.get(word, 0) + 1
    worth = sorted(((n - 1) * (len(w) - 3), w) for w, n in counts.items() if n > 3)
    words, size = [], 0
    for _, word in reversed(worth):
        if size + len(word) > DICTIONARY_BYTES:
            break
        words.append(word)
        size += len(word)
    return b"".join(reversed(words))
