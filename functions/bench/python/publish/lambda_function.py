"""DynamoDB Streams to RabbitMQ as one writes it first: a connection for each invocation, message after message, no
publisher confirms."""
import json
import os
import ssl

import pika

EXCHANGE = os.environ["EXCHANGE"]


def parameters():
    parameters = pika.URLParameters(os.environ["AMQP_URL"])
    context = ssl.create_default_context(cafile=os.environ["AMQP_CA_FILE"])
    parameters.ssl_options = pika.SSLOptions(context, parameters.host)
    return parameters


def handler(event, context):
    connection = pika.BlockingConnection(parameters())
    channel = connection.channel()
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
        channel.basic_publish(
            exchange=EXCHANGE,
            routing_key=".".join([row["language"]["S"], message["sentiment"], row["provider"]["S"].lower()]),
            body=json.dumps(message),
            properties=pika.BasicProperties(
                delivery_mode=2, content_type="application/json", message_id=message["id"]
            ),
        )
    connection.close()
    return {"batchItemFailures": []}
