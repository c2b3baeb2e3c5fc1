// An independent client against simnet: Baileys pairs by QR with a virtual phone, receives a text
// from another one and sends one back.
//
// Reads SIMNET (the control API, default http://127.0.0.1:7309). Prints what it saw; exits 0 when
// both texts arrived and 1 otherwise. Baileys checks the server's certificates against a constant,
// which is replaced in memory by simnet's root.

import makeWASocket, {
  DisconnectReason,
  WA_CERT_DETAILS,
  initAuthCreds,
  makeCacheableSignalKeyStore,
} from 'baileys'

const SIMNET = process.env.SIMNET ?? 'http://127.0.0.1:7309'
const DEADLINE_MS = 60_000
const OWNER = '491700000001'
const FRIEND = '491700000002'

const quiet = {
  level: process.env.LOG ?? 'silent',
  child: () => quiet,
  trace: () => {},
  debug: log('debug', 2),
  info: log('info', 2),
  warn: log('warn', 1),
  error: log('error', 1),
}

function log(name, rank) {
  const wanted = { warn: 1, debug: 2 }[process.env.LOG] ?? 0
  return (...args) => rank <= wanted && console.error(name, ...args)
}

// The Signal library prints sessions, keys included, with console.info.
console.info = () => {}

async function api(method, path, body) {
  const response = await fetch(SIMNET + path, { method, body: body && JSON.stringify(body) })
  const answer = await response.json()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer.error}`)
  return answer
}

// Credentials and Signal keys in memory, for one run.
function memory() {
  const kept = new Map()
  const keys = {
    get: async (type, ids) =>
      Object.fromEntries(ids.map(id => [id, kept.get(`${type}/${id}`)]).filter(([, v]) => v)),
    set: async data => {
      for (const type in data)
        for (const id in data[type]) {
          const value = data[type][id]
          if (value) kept.set(`${type}/${id}`, value)
          else kept.delete(`${type}/${id}`)
        }
    },
  }
  return { creds: initAuthCreds(), keys }
}

function textOf(message) {
  return message?.conversation ?? message?.extendedTextMessage?.text
}

async function main() {
  const root = await api('GET', '/root')
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(root.publicKey, 'hex')
  WA_CERT_DETAILS.SERIAL = root.serial
  await api('POST', '/phones', { phone: OWNER, name: 'Owner' })
  await api('POST', '/phones', { phone: FRIEND, name: 'Friend' })

  const state = memory()
  const auth = { creds: state.creds, keys: makeCacheableSignalKeyStore(state.keys, quiet) }
  const inbound = `to baileys ${Date.now()}`
  const outbound = `from baileys ${Date.now()}`
  const waWebSocketUrl = SIMNET.replace(/^http/, 'ws') + '/ws/chat'
  let socket

  const received = new Promise((resolve, reject) => {
    let linking = false
    const connect = () => {
      socket = makeWASocket({
        auth,
        waWebSocketUrl,
        logger: quiet,
        version: [2, 3000, 1030000000],
        shouldSyncHistoryMessage: () => false,
      })
      socket.ev.on('creds.update', update => Object.assign(auth.creds, update))
      socket.ev.on('connection.update', update => {
        if (update.qr && !linking) {
          linking = true
          console.log('showing a code; the phone scans it')
          api('POST', `/phones/${OWNER}/link`, { qr: update.qr }).then(
            linked => console.log(`linked as ${linked.device}`),
            reject,
          )
        }
        if (update.connection === 'open') {
          console.log(`open as ${socket.user?.id} (${socket.user?.lid})`)
          api('POST', `/phones/${FRIEND}/messages`, { to: OWNER, text: inbound }).catch(reject)
        }
        if (update.connection === 'close') {
          const code = update.lastDisconnect?.error?.output?.statusCode
          if (code === DisconnectReason.restartRequired) return connect()
          reject(new Error(`closed with ${code}: ${update.lastDisconnect?.error?.message}`))
        }
      })
      socket.ev.on('messages.upsert', ({ messages }) => {
        for (const message of messages) {
          if (process.env.LOG) console.error('upsert', JSON.stringify(message))
          if (textOf(message.message) === inbound) resolve(message)
        }
      })
    }
    connect()
  })

  const message = await received
  console.log(`baileys received ${JSON.stringify(inbound)} in chat ${message.key.remoteJid}`)
  await socket.sendMessage(message.key.remoteJid, { text: outbound })

  let after = 0
  for (const end = Date.now() + DEADLINE_MS; Date.now() < end; ) {
    const shown = await api('GET', `/phones/${FRIEND}/messages?after=${after}&wait=2000`)
    const answer = shown.find(entry => entry.text === outbound)
    if (answer) {
      console.log(`the phone shows ${JSON.stringify(answer.text)} from ${answer.from}, repeats ${answer.repeats}`)
      return
    }
    after = shown.at(-1)?.seq ?? after
  }
  throw new Error('the phone never showed the answer')
}

const timer = setTimeout(() => {
  console.error('timed out')
  process.exit(1)
}, DEADLINE_MS)

try {
  await main()
  clearTimeout(timer)
  console.log('ok')
  process.exit(0)
} catch (error) {
  console.error(`failed: ${error.stack ?? error}`)
  process.exit(1)
}
