#!/usr/bin/env python3
"""Writes terraform.pack and cloudformation.pack beside itself, from the sources that README.md names.

    python3 generate.py --terraform aws.full.json.xz --constraints constraints.json \\
        --small providers.json --cloudformation us-east-1.pipeline.json.xz --summary us-east-1.summary.json

The same sources give the same bytes. Needs nothing but Python 3.
"""

import argparse
import json
import lzma
import pathlib

import cloudformation
import model
import same_as
import terraform

HERE = pathlib.Path(__file__).parent


def main():
    sources = arguments()
    types = cloudformation.schemas(load(sources.cloudformation), load(sources.summary))
    providers = load(sources.terraform)["provider_schemas"] | load(sources.small)
    resources = terraform.schemas(providers, load(sources.constraints)["resources"])
    same_as.carry_over(resources, types)
    for name, schemas in (("terraform.pack", resources), ("cloudformation.pack", types)):
        model.write_pack(HERE / name, schemas)
        print(f"{name}: {len(schemas)} types, {(HERE / name).stat().st_size} bytes")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--terraform", required=True, help="`terraform providers schema -json` of hashicorp/aws")
    parser.add_argument("--constraints", required=True, help="allowed values, ranges and relations of aws resources")
    parser.add_argument("--small", required=True, help="schemas of random, tls, time, local, null and archive")
    parser.add_argument("--cloudformation", required=True, help="{type: registry schema}")
    parser.add_argument("--summary", required=True, help="{type: GetAtt attributes, identifiers, ARN template, tags}")
    return parser.parse_args()


def load(path):
    """A JSON document, packed with xz or not."""
    opened = lzma.open(path) if str(path).endswith(".xz") else open(path, "rb")
    with opened as file:
        return json.load(file)


if __name__ == "__main__":
    main()
