// A receiver that leaves the verifying to Standard Webhooks' own library.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const secret = process.env.SECRET;
// Secrets in the form of the standard are base64; others are keys as they are.
const webhook = secret.startsWith("whsec_") ? new Webhook(secret) : new Webhook(secret, { format: "raw" });

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const event = webhook.verify(Buffer.concat(chunks), request.headers);
    const actions = event.data.text === "ping" ? [{ type: "text", to: "{{chatId}}", text: "verified by node" }] : [];
    response.end(JSON.stringify({ actions }));
  } catch (error) {
    response.writeHead(401).end(String(error));
  }
});
server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
