// The control API of the simulated network.

export class Simnet {
  constructor(url) {
    this.url = url
  }

  async call(method, path, body) {
    const response = await fetch(this.url + path, { method, body: body && JSON.stringify(body) })
    const answer = await response.json()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer.error}`)
    return answer
  }

  // Adds a phone; answers who that is.
  async phone(number, name) {
    const { lid } = await this.call('POST', '/phones', { phone: number, name })
    return { number, name, pn: `${number}@s.whatsapp.net`, lid: lid.includes('@') ? lid : `${lid}@lid` }
  }

  // Has a phone send a message.
  async send(phone, message) {
    const { id } = await this.call('POST', `/phones/${phone.number}/messages`, message)
    return id
  }

  // The first message that a phone shows and that fits.
  async shown(phone, what, fits) {
    let after = 0
    for (const end = Date.now() + 30_000; Date.now() < end; ) {
      const shown = await this.call('GET', `/phones/${phone.number}/messages?after=${after}&wait=2000`)
      const found = shown.find(fits)
      if (found) return found
      after = shown.at(-1)?.seq ?? after
    }
    throw new Error(`the phone of ${phone.name} never showed ${what}`)
  }
}
