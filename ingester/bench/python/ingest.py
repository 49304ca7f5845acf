"""LSEG's news to Kinesis as a careful programmer writes it in Python: one connection, fragments put together, repeats
dropped, batches of whatever waits, up to 500 records, from a second thread, what was refused sent again. No spool, no
order per story, no second connection, no metrics."""
import base64
import json
import queue
import sys
import threading
import time
import zlib

import boto3
import websocket

URL, STREAM = sys.argv[1:3]
kinesis = boto3.client("kinesis")
waiting = queue.SimpleQueue()
fragments, seen = {}, set()


def item(story, received):
    return {
        "version": 1, "id": story["id"], "thread": f"{story['altId']}@{story['firstCreated']}", "source": "lseg",
        "provider": story.get("provider", "").removeprefix("NS:"), "language": story["language"].lower(),
        "kind": "alert" if story.get("urgency") == 1 else "article",
        "status": "canceled" if story.get("pubStatus") == "stat:canceled" else "usable",
        "urgency": story.get("urgency"), "take": story.get("takeSequence"), "headline": story["headline"],
        "body": story.get("body", ""), "subjects": story.get("subjects", []), "published": story["versionCreated"],
        "first_published": story["firstCreated"], "received": received,
    }


def whole(fields):
    """The bytes of an item once all of its fragments are there."""
    part = base64.b64decode(fields["FRAGMENT"])
    key = fields["MRN_SRC"], fields["GUID"]
    if fields["FRAG_NUM"] == 1:
        fragments[key] = fields["TOT_SIZE"], [part]
    elif key in fragments and len(fragments[key][1]) == fields["FRAG_NUM"] - 1:
        fragments[key][1].append(part)
    else:
        return None
    size, parts = fragments[key]
    if sum(map(len, parts)) < size:
        return None
    del fragments[key]
    return b"".join(parts)


def update(fields):
    packed = whole(fields)
    if packed is None or fields["GUID"] in seen:
        return
    seen.add(fields["GUID"])
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    news = item(json.loads(zlib.decompress(packed, 47)), now)
    data = json.dumps(news, ensure_ascii=False, separators=(",", ":")).encode()
    waiting.put({"Data": data, "PartitionKey": news["thread"]})


def next_batch():
    batch = [waiting.get()]
    while len(batch) < 500:
        try:
            batch.append(waiting.get_nowait())
        except queue.Empty:
            break
    return batch


def send():
    while True:
        batch = next_batch()
        while batch:
            answer = kinesis.put_records(StreamName=STREAM, Records=batch)
            batch = [record for record, result in zip(batch, answer["Records"]) if "ErrorCode" in result]


def on_open(socket):
    key = {"Name": "bench", "Elements": {"ApplicationId": "256", "Position": "127.0.0.1/bench"}}
    socket.send(json.dumps({"ID": 1, "Domain": "Login", "Key": key}))


def on_message(socket, text):
    for message in json.loads(text):
        kind, domain = message["Type"], message.get("Domain")
        if kind == "Ping":
            socket.send('{"Type":"Pong"}')
        elif kind == "Refresh" and domain == "Login":
            socket.send(json.dumps({"ID": 2, "Domain": "NewsTextAnalytics", "Key": {"Name": "MRN_STORY"}}))
        elif kind == "Update":
            update(message["Fields"])


threading.Thread(target=send, daemon=True).start()
application = websocket.WebSocketApp(URL, on_open=on_open, on_message=on_message, subprotocols=["tr_json2"])
# Each frame is decoded once more by the JSON parser, which finds what is no UTF-8 much faster.
application.run_forever(skip_utf8_validation=True)
