"""A receiver that leaves the verifying to Standard Webhooks' own library."""
import http.server, json, os
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET = os.environ["SECRET"]
# Secrets in the form of the standard are base64; others are keys as they are.
WEBHOOK = Webhook(SECRET if SECRET.startswith("whsec_") else SECRET.encode())


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = WEBHOOK.verify(body, dict(self.headers))
        except WebhookVerificationError as error:
            return self.reply(401, {"error": str(error)})
        ping = event["data"].get("text") == "ping"
        self.reply(200, {"actions": [{"type": "text", "to": "{{chatId}}", "text": "verified by python"}] if ping else []})

    def reply(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 0))), Receiver)
print(f"listening on {server.server_port}", flush=True)
server.serve_forever()
