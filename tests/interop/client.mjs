// Baileys as a linked device of a virtual phone: everything in memory, and all that it is told in a
// log. Baileys checks the server's certificates against a constant, and gets files that name no
// host from WhatsApp's: the former is replaced in memory, the latter is the network's own here.

import makeWASocket, {
  DisconnectReason,
  WA_CERT_DETAILS,
  downloadMediaMessage,
  initAuthCreds,
  makeCacheableSignalKeyStore,
} from 'baileys'
import { Log } from './log.mjs'

// What Baileys complains of though all is well: that it is to connect again once it is linked, and
// that a LID it asked about is answered as such.
const HARMLESS = [/^stream errored out .*"515"/, /^Invalid LID-PN mapping: (\S+@lid), \1$/]
const MEDIA = 'https://mmg.whatsapp.net/'

const direct = globalThis.fetch

// The Signal library prints sessions, keys included, with console.info.
console.info = () => {}

// Credentials and Signal keys, for one run.
function memory(logger) {
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
  return { creds: initAuthCreds(), keys: makeCacheableSignalKeyStore(keys, logger) }
}

// What Baileys is to trust and where its files are.
async function trust(simnet) {
  const root = await simnet.call('GET', '/root')
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(root.publicKey, 'hex')
  WA_CERT_DETAILS.SERIAL = root.serial
  globalThis.fetch = (url, options) => direct(String(url).replace(MEDIA, `https://${root.mediaHost}/`), options)
}

export class Client {
  #simnet
  #owner
  #auth
  #logger

  constructor(simnet, owner) {
    this.#simnet = simnet
    this.#owner = owner
    this.log = new Log(`Baileys of ${owner.name}`)
    // What Baileys could not cope with.
    this.complaints = []
    const complain = (...said) => {
      const complaint = said.reverse().map(plain).join(' ')
      if (!HARMLESS.some(one => one.test(complaint))) this.complaints.push(complaint)
    }
    const silent = () => {}
    this.#logger = { level: 'warn', trace: silent, debug: silent, info: silent, warn: complain, error: complain }
    this.#logger.child = () => this.#logger
    this.#auth = memory(this.#logger)
  }

  // A device that the phone of `owner` has linked, and that is connected.
  static async link(simnet, owner) {
    await trust(simnet)
    const client = new Client(simnet, owner)
    client.#connect()
    await client.log.wait('itself connected', 'connection.update', ({ connection }) => connection === 'open')
    return client
  }

  #connect() {
    this.socket = makeWASocket({
      auth: this.#auth,
      waWebSocketUrl: this.#simnet.url.replace(/^http/, 'ws') + '/ws/chat',
      logger: this.#logger,
      version: [2, 3000, 1030000000],
      // The log has what came over the network.
      emitOwnEvents: false,
    })
    this.socket.ev.process(async events => {
      for (const [name, data] of Object.entries(events)) {
        if (name === 'creds.update') {
          Object.assign(this.#auth.creds, data)
          continue
        }
        if (name === 'connection.update') await this.#connection(data)
        const items = name === 'messages.upsert' ? data.messages : data
        for (const item of Array.isArray(items) ? items : [items]) this.log.add(name, item)
      }
    })
  }

  async #connection({ qr, connection, lastDisconnect }) {
    if (qr && !this.qr) {
      this.qr = qr
      const linked = await this.#simnet.call('POST', `/phones/${this.#owner.number}/link`, { qr })
      console.log(`${this.#owner.name} linked Baileys as ${linked.device}`)
    }
    if (connection === 'close') {
      const code = lastDisconnect?.error?.output?.statusCode
      if (code === DisconnectReason.restartRequired) return this.#connect()
      this.log.fail(new Error(`Baileys was disconnected with ${code}: ${lastDisconnect?.error?.message}`))
    }
  }

  // Sends a message; answers it as Baileys has it.
  send(jid, content, options) {
    return this.socket.sendMessage(jid, content, options)
  }

  // A message that came and fits.
  message(what, fits) {
    return this.log.wait(what, 'messages.upsert', fits)
  }

  // A text that came.
  text(text) {
    return this.message(`the text ${JSON.stringify(text)}`, ({ message }) => textOf(message) === text)
  }

  // The file of a message, downloaded and decrypted.
  file(message) {
    return downloadMediaMessage(message, 'buffer', {})
  }
}

export function textOf(message) {
  return message?.conversation ?? message?.extendedTextMessage?.text
}

function plain(said) {
  const readable = (_, value) => (value instanceof Error ? value.stack : value)
  return typeof said === 'string' ? said : JSON.stringify(said, readable)
}
