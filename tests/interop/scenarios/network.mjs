// Baileys and a virtual phone, without an engine: it is linked by QR code, gets a text and answers.

import assert from 'node:assert/strict'
import { Client } from '../client.mjs'

export default async function ({ simnet, step }) {
  const owner = await simnet.phone('491700000001', 'Owner')
  const friend = await simnet.phone('491700000002', 'Friend')
  const client = await step('Baileys is linked', () => Client.link(simnet, owner))

  const received = await step('a text comes', async () => {
    await simnet.send(friend, { to: owner.number, text: 'to baileys' })
    return client.text('to baileys')
  })

  await step('the answer is shown once', async () => {
    await client.send(received.key.remoteJid, { text: 'from baileys' })
    const shown = await simnet.shown(friend, 'the answer', ({ text }) => text === 'from baileys')
    assert.equal(shown.from, owner.number)
    assert.equal(shown.repeats, 0)
  })
}
