// What somebody has seen, by name, and waiting for what is yet to come.

const DEADLINE_MS = 30_000

export class Log {
  #whose
  #entries = []
  #waiting = new Set()

  constructor(whose) {
    this.#whose = whose
  }

  add(name, data) {
    if (process.env.LOG) console.error(this.#whose, name, JSON.stringify(data))
    this.#entries.push({ name, data })
    for (const look of [...this.#waiting]) look()
  }

  // Nothing more comes: whoever waits is told why.
  fail(error) {
    for (const look of [...this.#waiting]) look(error)
  }

  // The first entry of a name that fits, whether it is there already or comes in time.
  wait(what, name, fits = () => true) {
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        settle(value)
      }
      const look = error => {
        const found = this.#entries.find(entry => entry.name === name && fits(entry.data))
        if (found) end(resolve, found.data)
        else if (error) end(reject, error)
      }
      const timer = setTimeout(() => {
        const seen = this.#entries.map(({ name, data }) => `  ${name} ${JSON.stringify(data)}`).join('\n')
        end(reject, new Error(`${this.#whose} did not see ${what} (${name}), but:\n${seen}`))
      }, DEADLINE_MS)
      this.#waiting.add(look)
      look()
    })
  }
}
