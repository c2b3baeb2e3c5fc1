"""A webhook receiver: verifies, knows repeats, answers `ping`.

Run: SECRET=... USERNAME_OF_OWNER=admin PORT=8080 python3 receiver.py
"""
import collections, hashlib, hmac, http.server, json, os, threading, time

KEY = (os.environ["SECRET"] + os.environ.get("USERNAME_OF_OWNER", "admin")).encode()
HASHES = {
    "HMAC-SHA224": hashlib.sha224,
    "HMAC-SHA256": hashlib.sha256,
    "HMAC-SHA384": hashlib.sha384,
    "HMAC-SHA512": hashlib.sha512,
}
FRESH_MS = 5 * 60_000
BODY_BYTES = 4 << 20
REMEMBERED = 10_000

# Answers by event id, oldest first.
answered, lock = collections.OrderedDict(), threading.Lock()


def verified(headers, body):
    algorithm = headers.get("X-WAREST-Signature-Alg", "")
    if algorithm not in HASHES:
        return False
    expected = f"{algorithm}={hmac.new(KEY, body, HASHES[algorithm]).hexdigest()}"
    given = headers.get("X-WAREST-Signature", "")
    stamp = headers.get("X-WAREST-Timestamp", "")
    fresh = stamp.isdecimal() and abs(time.time() * 1000 - int(stamp)) <= FRESH_MS
    return fresh and hmac.compare_digest(given.encode(), expected.encode())


def decide(event):
    if event["event"] == "message_received" and event["data"]["text"] == "ping":
        return {"ok": True, "actions": [{"type": "text", "to": "{{chatId}}", "text": "pong from python"}]}
    return {"ok": True}


def answer(event):
    event_id = event["data"].get("eventId")
    with lock:
        if event_id in answered:
            return answered[event_id]
        decided = decide(event)
        if event_id:
            answered[event_id] = decided
        if len(answered) > REMEMBERED:
            answered.popitem(last=False)
        return decided


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        if size > BODY_BYTES:
            return self.reply(413, {"ok": False})
        body = self.rfile.read(size)
        if not verified(self.headers, body):
            return self.reply(401, {"ok": False})
        self.reply(200, answer(json.loads(body)))

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 0))), Receiver)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
