// The engine's REST API, and the stream of what its session sees.

import { setTimeout as sleep } from 'node:timers/promises'
import { Log } from './log.mjs'

const BEGINNING = 'evt_00000000000000000000000000'

export class Engine {
  #api
  #headers
  #session

  // One session of an engine.
  constructor({ url, key, session }) {
    this.#api = `${url}/api/v1`
    this.#headers = { 'X-WAREST-API-KEY': key }
    this.#session = session
    this.log = new Log('the engine')
  }

  // One call for the session; answers what came.
  async call(method, path, fields = {}) {
    const headers = { ...this.#headers, 'content-type': 'application/json' }
    const body = JSON.stringify({ sessionId: this.#session, ...fields })
    const response = await fetch(this.#api + path, { method, headers, body })
    const answer = await response.json()
    if (response.status !== 200) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`)
    return answer
  }

  // Sends a message; answers its id.
  async send(kind, fields) {
    const { results } = await this.call('POST', `/messages/send/${kind}`, fields)
    return results[0].messageId
  }

  // Does something to a message of a chat.
  act(id, action, fields) {
    return this.call('POST', `/messages/${id}/action/${action}`, fields)
  }

  // A file that the engine keeps.
  async file(id) {
    for (const end = Date.now() + 30_000; ; await sleep(50)) {
      const response = await fetch(`${this.#api}/media/${id}`, { headers: this.#headers })
      if (response.ok) return Buffer.from(await response.arrayBuffer())
      if (Date.now() > end) throw new Error(`no file ${id}: ${response.status} ${await response.text()}`)
    }
  }

  // Follows the session's events from the beginning, into the log.
  async follow() {
    const headers = { ...this.#headers, 'Last-Event-ID': BEGINNING }
    const response = await fetch(`${this.#api}/stream?session=${this.#session}`, { headers })
    if (!response.ok) throw new Error(`the stream: ${response.status} ${await response.text()}`)
    this.#read(response.body).catch(error => this.log.fail(error))
  }

  async #read(body) {
    let text = ''
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n')
      text = blocks.pop()
      for (const block of blocks) {
        const data = block.match(/^data: (.*)$/m)
        if (!data) continue
        const event = JSON.parse(data[1])
        this.log.add(event.event, event.data)
      }
    }
    throw new Error('the stream ended')
  }
}
