"""The same as a careful programmer writes it: 16 headlines in a request, eight requests at once from a pool of
threads, writes in batches of up to 25, the low-level client."""
import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

HEADLINES = 16
THREADS = 8
ENDPOINT = os.environ["ENDPOINT_NAME"]
TABLE = os.environ["TABLE_NAME"]

config = Config(max_pool_connections=THREADS)
runtime = boto3.client("sagemaker-runtime", config=config)
dynamodb = boto3.client("dynamodb", config=config)
pool = ThreadPoolExecutor(THREADS)


def judge(items):
    response = runtime.invoke_endpoint(
        EndpointName=ENDPOINT,
        ContentType="application/json",
        Body=json.dumps({"inputs": [item["headline"] for item in items]}),
    )
    opinions = json.loads(response["Body"].read())
    if len(opinions) != len(items):
        raise ValueError(f"{len(items)} headlines, {len(opinions)} opinions")
    return opinions


def row(item, opinion):
    return {
        "article_id": {"S": item["id"]},
        "headline": {"S": item["headline"]},
        "source": {"S": item["source"]},
        "published": {"S": item["published"]},
        "sentiment": {"M": {
            "status": {"S": "judged"},
            "label": {"S": opinion["label"]},
            "score": {"N": str(opinion["score"])},
        }},
    }


def write(rows):
    requests = [{"PutRequest": {"Item": each}} for each in rows]
    while requests:
        answer = dynamodb.batch_write_item(RequestItems={TABLE: requests})
        requests = answer.get("UnprocessedItems", {}).get(TABLE, [])


def enrich(part):
    """Judges and stores a part of the batch; returns the sequence numbers of what failed."""
    try:
        items = [item for _, item in part]
        write([row(item, opinion) for item, opinion in zip(items, judge(items))])
        return []
    except Exception as error:
        print("a part of the batch failed:", error)
        return [number for number, _ in part]


def handler(event, context):
    failed, good = [], []
    for record in event["Records"]:
        kinesis = record["kinesis"]
        try:
            good.append((kinesis["sequenceNumber"], json.loads(base64.b64decode(kinesis["data"]))))
        except ValueError:
            failed.append(kinesis["sequenceNumber"])
    parts = [good[start:start + HEADLINES] for start in range(0, len(good), HEADLINES)]
    for numbers in pool.map(enrich, parts):
        failed += numbers
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
