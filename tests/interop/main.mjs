// An independent client, Baileys, in the simulated network: `node main.mjs SCENARIO`, with one of
// scenarios/. Prints each step that went well; exits 0 when all did and 1 otherwise.
//
// Reads SIMNET, the control API (http://127.0.0.1:7309 if absent). Scenarios with an engine read
// ENGINE, KEY, SESSION and BOT: its address, the key, a session of it and the number of the phone
// that the session is linked to. NODE_EXTRA_CA_CERTS names a file with the authority of the media
// host (mediaCertificate of `GET /root`), if files are sent. LOG=1 prints all that is seen.

import { Engine } from './engine.mjs'
import { Simnet } from './simnet.mjs'

const DEADLINE_MS = 150_000

const timer = setTimeout(() => {
  console.error('timed out')
  process.exit(1)
}, DEADLINE_MS)

try {
  const { SIMNET = 'http://127.0.0.1:7309', ENGINE, KEY, SESSION, BOT } = process.env
  const { default: scenario } = await import(`./scenarios/${process.argv[2]}.mjs`)
  const engine = ENGINE && new Engine({ url: ENGINE, key: KEY, session: SESSION })
  await engine?.follow()
  await scenario({ simnet: new Simnet(SIMNET), engine, bot: BOT, step })
  clearTimeout(timer)
  console.log('ok')
  process.exit(0)
} catch (error) {
  console.error('failed:', error)
  process.exit(1)
}

// A part of a scenario, named in what is printed.
async function step(name, body) {
  try {
    const answer = await body()
    console.log(`- ${name}`)
    return answer
  } catch (error) {
    throw new Error(name, { cause: error })
  }
}
