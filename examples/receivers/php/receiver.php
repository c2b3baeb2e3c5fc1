<?php
// A webhook receiver: verifies, knows repeats, answers `ping`.
//
// Run: SECRET=... USERNAME_OF_OWNER=admin PORT=8080 php receiver.php
//
// From the command line it starts PHP's own web server with itself as the
// page. Behind another web server, this file is the page as it is.
declare(strict_types=1);

const HASHES = ['HMAC-SHA224' => 'sha224', 'HMAC-SHA256' => 'sha256', 'HMAC-SHA384' => 'sha384', 'HMAC-SHA512' => 'sha512'];
const FRESH_MS = 5 * 60_000;
const BODY_BYTES = 4 << 20;
const REMEMBERED_S = 2 * 24 * 3_600;

if (PHP_SAPI === 'cli') {
    if (!getenv('SECRET')) {
        fwrite(STDERR, "SECRET is not set\n");
        exit(1);
    }
    $port = (int) (getenv('PORT') ?: 0);
    if ($port === 0) {
        $free = stream_socket_server('tcp://127.0.0.1:0');
        $port = (int) substr(strrchr(stream_socket_get_name($free, false), ':'), 1);
        fclose($free);
    }
    echo "listening on $port\n";
    pcntl_exec(PHP_BINARY, ['-S', "127.0.0.1:$port", __FILE__]);
    exit(1);
}

function verified(string $body): bool
{
    $algorithm = $_SERVER['HTTP_X_WAREST_SIGNATURE_ALG'] ?? '';
    if (!isset(HASHES[$algorithm])) {
        return false;
    }
    $key = getenv('SECRET') . (getenv('USERNAME_OF_OWNER') ?: 'admin');
    $expected = $algorithm . '=' . hash_hmac(HASHES[$algorithm], $body, $key);
    $stamp = $_SERVER['HTTP_X_WAREST_TIMESTAMP'] ?? '';
    $fresh = ctype_digit($stamp) && abs(microtime(true) * 1000 - (float) $stamp) <= FRESH_MS;
    return $fresh && hash_equals($expected, $_SERVER['HTTP_X_WAREST_SIGNATURE'] ?? '');
}

function decide(array $event): array
{
    if ($event['event'] !== 'message_received' || $event['data']['text'] !== 'ping') {
        return ['ok' => true];
    }
    return ['ok' => true, 'actions' => [['type' => 'text', 'to' => '{{chatId}}', 'text' => 'pong from php']]];
}

/** PHP forgets everything between requests, so answers are kept in files named after the event's id. */
function answer(array $event): array
{
    $id = $event['data']['eventId'] ?? '';
    if (!preg_match('/^evt_[0-9A-Z]{26}$/', $id)) {
        return decide($event);
    }
    $folder = sys_get_temp_dir() . '/warest-receiver-' . $_SERVER['SERVER_PORT'];
    is_dir($folder) || mkdir($folder, 0700);
    $file = "$folder/$id";
    if (is_file($file)) {
        return json_decode(file_get_contents($file), true);
    }
    $decided = decide($event);
    // Under another name first, so that a crash leaves no half answer.
    file_put_contents("$file.new", json_encode($decided));
    rename("$file.new", $file);
    foreach (mt_rand(0, 99) === 0 ? glob("$folder/*") : [] as $old) {
        filemtime($old) < time() - REMEMBERED_S && unlink($old);
    }
    return $decided;
}

function reply(int $status, array $body): void
{
    http_response_code($status);
    header('Content-Type: application/json');
    echo json_encode($body);
}

$body = file_get_contents('php://input', length: BODY_BYTES + 1);
if (strlen($body) > BODY_BYTES) {
    reply(413, ['ok' => false]);
} elseif (!verified($body)) {
    reply(401, ['ok' => false]);
} else {
    reply(200, answer(json_decode($body, true, flags: JSON_THROW_ON_ERROR)));
}
