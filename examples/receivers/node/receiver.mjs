// A webhook receiver: verifies, knows repeats, answers `ping`.
//
// Run: SECRET=... USERNAME_OF_OWNER=admin PORT=8080 node receiver.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const KEY = process.env.SECRET + (process.env.USERNAME_OF_OWNER ?? "admin");
const HASHES = { "HMAC-SHA224": "sha224", "HMAC-SHA256": "sha256", "HMAC-SHA384": "sha384", "HMAC-SHA512": "sha512" };
const FRESH_MS = 5 * 60_000;
const BODY_BYTES = 4 << 20;
const REMEMBERED = 10_000;

/** Answers by event id, oldest first. */
const answered = new Map();

function verified(headers, body) {
  const algorithm = headers["x-warest-signature-alg"];
  if (!Object.hasOwn(HASHES, algorithm)) return false;
  const expected = Buffer.from(`${algorithm}=${createHmac(HASHES[algorithm], KEY).update(body).digest("hex")}`);
  const given = Buffer.from(headers["x-warest-signature"] ?? "");
  const fresh = Math.abs(Date.now() - Number(headers["x-warest-timestamp"])) <= FRESH_MS;
  return fresh && given.length === expected.length && timingSafeEqual(given, expected);
}

function decide(event) {
  if (event.event !== "message_received" || event.data.text !== "ping") return { ok: true };
  return { ok: true, actions: [{ type: "text", to: "{{chatId}}", text: "pong from node" }] };
}

function answer(event) {
  const id = event.data.eventId;
  if (answered.has(id)) return answered.get(id);
  const decided = decide(event);
  if (id) answered.set(id, decided);
  if (answered.size > REMEMBERED) answered.delete(answered.keys().next().value);
  return decided;
}

const server = createServer(async (request, response) => {
  const reply = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > BODY_BYTES) return reply(413, { ok: false });
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (!verified(request.headers, body)) return reply(401, { ok: false });
  reply(200, answer(JSON.parse(body)));
});

if (!process.env.SECRET) throw new Error("SECRET is not set");
server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
