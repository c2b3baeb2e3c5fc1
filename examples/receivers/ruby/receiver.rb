# A webhook receiver: verifies, knows repeats, answers `ping`.
#
# Run: SECRET=... USERNAME_OF_OWNER=admin PORT=8080 ruby receiver.rb
# (WEBrick comes with Debian's ruby; elsewhere: gem install webrick)
require "json"
require "openssl"
require "webrick"

KEY = ENV.fetch("SECRET") + ENV.fetch("USERNAME_OF_OWNER", "admin")
HASHES = { "HMAC-SHA224" => "SHA224", "HMAC-SHA256" => "SHA256", "HMAC-SHA384" => "SHA384", "HMAC-SHA512" => "SHA512" }.freeze
FRESH_MS = 5 * 60_000
BODY_BYTES = 4 << 20
REMEMBERED = 10_000

class Receiver < WEBrick::HTTPServlet::AbstractServlet
  # Answers by event id, oldest first.
  ANSWERED = {}
  LOCK = Mutex.new

  def do_POST(request, response)
    return reply(response, 413, ok: false) if request["content-length"].to_i > BODY_BYTES

    body = request.body || ""
    return reply(response, 401, ok: false) unless verified?(request, body)

    reply(response, 200, answer(JSON.parse(body)))
  end

  private

  def verified?(request, body)
    algorithm = request["x-warest-signature-alg"]
    hash = HASHES[algorithm] or return false
    expected = "#{algorithm}=#{OpenSSL::HMAC.hexdigest(hash, KEY, body)}"
    stamp = Integer(request["x-warest-timestamp"], 10, exception: false) or return false
    (Time.now.to_f * 1000 - stamp).abs <= FRESH_MS &&
      OpenSSL.secure_compare(expected, request["x-warest-signature"].to_s)
  end

  def answer(event)
    id = event["data"]["eventId"]
    LOCK.synchronize do
      return ANSWERED[id] if id && ANSWERED.key?(id)

      decided = decide(event)
      ANSWERED[id] = decided if id
      ANSWERED.shift if ANSWERED.size > REMEMBERED
      decided
    end
  end

  def decide(event)
    return { ok: true } unless event["event"] == "message_received" && event["data"]["text"] == "ping"

    { ok: true, actions: [{ type: "text", to: "{{chatId}}", text: "pong from ruby" }] }
  end

  def reply(response, status, body)
    response.status = status
    response["Content-Type"] = "application/json"
    response.body = JSON.generate(body)
  end
end

$stdout.sync = true
server = WEBrick::HTTPServer.new(
  BindAddress: "127.0.0.1",
  Port: ENV.fetch("PORT", "0").to_i,
  Logger: WEBrick::Log.new($stderr, WEBrick::Log::WARN),
  AccessLog: [],
)
server.mount("/", Receiver)
puts "listening on #{server.listeners.first.addr[1]}"
server.start
