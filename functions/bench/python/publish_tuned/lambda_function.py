"""The same as a careful programmer writes it with pika's BlockingConnection: the connection stays between
invocations, and every message is confirmed; pika waits for each confirm in turn."""
import json
import os
import ssl

import pika

EXCHANGE = os.environ["EXCHANGE"]
channel = None


def parameters():
    parameters = pika.URLParameters(os.environ["AMQP_URL"])
    context = ssl.create_default_context(cafile=os.environ["AMQP_CA_FILE"])
    parameters.ssl_options = pika.SSLOptions(context, parameters.host)
    return parameters


def open_channel():
    global channel
    if channel is None or not channel.is_open:
        channel = pika.BlockingConnection(parameters()).channel()
        channel.confirm_delivery()
    return channel


def handler(event, context):
    channel, failed = open_channel(), []
    for record in event["Records"]:
        if record["eventName"] != "INSERT":
            continue
        row = record["dynamodb"]["NewImage"]
        sentiment = row["sentiment"]["M"]
        message = {
            "id": row["article_id"]["S"],
            "headline": row["headline"]["S"],
            "sentiment": sentiment["label"]["S"],
            "score": float(sentiment["score"]["N"]),
        }
        try:
            channel.basic_publish(
                exchange=EXCHANGE,
                routing_key=".".join([row["language"]["S"], message["sentiment"], row["provider"]["S"].lower()]),
                body=json.dumps(message),
                properties=pika.BasicProperties(
                    delivery_mode=2, content_type="application/json", message_id=message["id"]
                ),
                mandatory=True,
            )
        except (pika.exceptions.UnroutableError, pika.exceptions.NackError):
            failed.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failed}
