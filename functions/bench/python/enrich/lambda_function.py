"""Kinesis to SageMaker to DynamoDB as one writes it first: record after record, a request to the model and a write
to the table for each."""
import base64
import json
import os
from decimal import Decimal

import boto3

runtime = boto3.client("sagemaker-runtime")
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
ENDPOINT = os.environ["ENDPOINT_NAME"]


def handler(event, context):
    for record in event["Records"]:
        item = json.loads(base64.b64decode(record["kinesis"]["data"]))
        response = runtime.invoke_endpoint(
            EndpointName=ENDPOINT,
            ContentType="application/json",
            Body=json.dumps({"inputs": item["headline"]}),
        )
        best = json.loads(response["Body"].read())[0]
        table.put_item(Item={
            "article_id": item["id"],
            "headline": item["headline"],
            "source": item["source"],
            "published": item["published"],
            "sentiment": {"status": "judged", "label": best["label"], "score": Decimal(str(best["score"]))},
        })
    return {"batchItemFailures": []}
