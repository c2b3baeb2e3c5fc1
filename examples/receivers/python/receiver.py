"""A webhook receiver: checks the signature, answers `ping` with `pong`.

Run: SECRET=... USERNAME_OF_OWNER=admin python3 receiver.py 8080
"""
import hashlib, hmac, http.server, json, os, sys

KEY = (os.environ["SECRET"] + os.environ.get("USERNAME_OF_OWNER", "admin")).encode()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        expected = "HMAC-SHA256=" + hmac.new(KEY, body, hashlib.sha256).hexdigest()
        valid = hmac.compare_digest(expected, self.headers.get("X-WAREST-Signature", ""))
        event, actions = json.loads(body), []
        if event["event"] == "message_received" and event["data"]["text"] == "ping":
            actions = [{"type": "text", "to": "{{chatId}}", "text": "pong from python"}]
        self.send_response(200 if valid else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"ok": valid, "actions": actions if valid else []}).encode())

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
