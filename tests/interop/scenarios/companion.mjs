// Baileys as a second device of the account that the engine's session is linked to: what either
// does reaches the other, and what is set for all devices does, too.

import assert from 'node:assert/strict'
import { Client, textOf } from '../client.mjs'

const LABELS = 24

export default async function ({ simnet, engine, bot, step }) {
  const ana = await simnet.phone('6281700000002', 'Ana')
  const shop = await simnet.phone(bot, 'Shop')
  const seen = (name, what, fits) => engine.log.wait(what, name, fits)
  const chat = jid => [ana.lid, ana.pn].includes(jid)

  const early = await step('the account has a past', async () => {
    await simnet.send(ana, { to: bot, text: 'before' })
    const got = await seen('message_received', 'the text', data => data.text === 'before')
    // So many changes that the server gives a new device all records instead.
    for (let n = 1; n <= LABELS; n++)
      await simnet.call('POST', `/phones/${bot}/labels`, { id: `${n}`, name: `label ${n}` })
    await seen('label_update', 'the last label', ({ label }) => label.name === `label ${LABELS}`)
    await simnet.call('PUT', `/phones/${bot}/contacts`, { phone: ana.number, name: 'Ana of the market' })
    return got
  })

  const client = await step('Baileys is linked and gets history and app state', async () => {
    const client = await Client.link(simnet, shop)
    const { chats, messages } = await client.log.wait('the history', 'messaging-history.set')
    assert(chats.some(({ id }) => chat(id)), JSON.stringify(chats))
    assert(messages.some(({ key }) => key.id === early.messageId), JSON.stringify(messages))
    for (let n = 1; n <= LABELS; n++)
      await client.log.wait(`label ${n}`, 'labels.edit', ({ name }) => name === `label ${n}`)
    await client.log.wait('the contact', 'contacts.upsert', ({ name }) => name === 'Ana of the market')
    return client
  })

  const ours = await step('what the engine sends, Baileys has', async () => {
    const id = await engine.send('text', { to: ana.number, message: 'from the engine' })
    const got = await client.text('from the engine')
    assert.equal(got.key.id, id)
    assert.equal(got.key.fromMe, true)
    assert(chat(got.key.remoteJid), got.key.remoteJid)
    return got
  })

  const other = await step('what Baileys sends, the engine has', async () => {
    const sent = await client.send(ana.lid, { text: 'from the desk' })
    const got = await seen('message_sent', 'the text', data => data.messageId === sent.key.id)
    assert.equal(got.text, 'from the desk')
    assert.equal(got.chatId, ana.pn)
    assert(got.tags.includes('device'), JSON.stringify(got.tags))
    assert.equal(got.key.fromMe, true)
    const shown = await simnet.shown(ana, 'the text', ({ text }) => text === 'from the desk')
    assert.equal(shown.from, bot)
    return sent
  })

  const theirs = await step('what comes reaches both', async () => {
    const id = await simnet.send(ana, { to: bot, text: 'to both' })
    await seen('message_received', 'the text', data => data.messageId === id)
    return client.text('to both')
  })

  await step('a reaction of Baileys', async () => {
    await client.send(theirs.key.remoteJid, { react: { text: '👍', key: theirs.key } })
    const got = await seen('message_reaction', 'the reaction', data => data.key.id === theirs.key.id)
    assert.equal(got.reaction, '👍')
    assert.equal(got.key.fromMe, false)
    assert(got.tags.includes('device'), JSON.stringify(got.tags))
  })

  await step('an edit and a revocation of Baileys', async () => {
    await client.send(ana.lid, { text: 'from the counter', edit: other.key })
    const edited = await seen('message_edited', 'the edit', data => data.key.id === other.key.id)
    assert.equal(edited.text, 'from the counter')
    assert.equal(edited.key.fromMe, true)
    await client.send(ana.lid, { delete: other.key })
    const gone = await seen('message_revoked', 'the revocation', data => data.key.id === other.key.id)
    assert.equal(gone.key.fromMe, true)
  })

  await step('a reaction, an edit and a revocation of the engine', async () => {
    const about = id => one => one.key.id === id
    const update = (what, fits) => client.log.wait(what, 'messages.update', one => about(ours.key.id)(one) && fits(one))
    await engine.act(theirs.key.id, 'reaction', { to: ana.number, emoji: '🎉' })
    const put = await client.log.wait('the reaction', 'messages.reaction', about(theirs.key.id))
    assert.equal(put.reaction.text, '🎉')
    assert.equal(put.reaction.key.fromMe, true)
    await engine.act(ours.key.id, 'edit', { to: ana.number, message: 'from us' })
    const edited = await update('the edit', ({ update }) => update.message)
    assert.equal(textOf(edited.update.message.editedMessage.message), 'from us')
    await engine.act(ours.key.id, 'revoke', { to: ana.number })
    await update('the revocation', ({ update }) => update.message === null)
  })

  await step('a group that both are in', async () => {
    const fields = { subject: 'Us', participants: [bot] }
    const { id: group } = await simnet.call('POST', `/phones/${ana.number}/groups`, fields)
    const joined = await client.log.wait('the group', 'groups.upsert', ({ id }) => id === group)
    assert.equal(joined.subject, 'Us')
    await engine.send('text', { to: group, message: 'the engine is here' })
    const ours = await client.text('the engine is here')
    assert.deepEqual([ours.key.remoteJid, ours.key.fromMe], [group, true])
    const sent = await client.send(group, { text: 'the desk is here' })
    const got = await seen('message_sent', 'the text', data => data.messageId === sent.key.id)
    assert.equal(got.chatId, group)
    assert(got.tags.includes('device'), JSON.stringify(got.tags))
    const id = await simnet.send(ana, { to: group, text: 'then all are here' })
    await seen('message_received', 'the text', data => data.messageId === id)
    await client.text('then all are here')
  })

  await step('stars of the engine', async () => {
    const star = starred => ({ key, update }) => key.id === theirs.key.id && update.starred === starred
    await engine.act(theirs.key.id, 'star', { to: ana.number })
    const put = await client.log.wait('the star', 'messages.update', star(true))
    assert(chat(put.key.remoteJid), put.key.remoteJid)
    await engine.act(theirs.key.id, 'unstar', { to: ana.number })
    await client.log.wait('no star', 'messages.update', star(false))
  })

  await step('the archive of the engine', async () => {
    const archived = value => ({ id, archived }) => chat(id) && archived === value
    await engine.call('POST', '/messages/action/archive', { to: ana.number })
    await client.log.wait('the chat put in', 'chats.update', archived(true))
    await engine.call('POST', '/messages/action/unarchive', { to: ana.number })
    await client.log.wait('the chat taken out', 'chats.update', archived(false))
  })

  await step('stars of Baileys', async () => {
    const star = value => data => data.change === 'star' && data.key.id === early.messageId && data.value === value
    for (const value of [true, false]) {
      const { chatId, messageId: id } = early
      await client.socket.star(ana.lid, [{ id, fromMe: false }], value)
      const got = await seen('chat_update', `the star: ${value}`, star(value))
      assert.equal(got.chatId, chatId)
      assert(got.tags.includes('device'), JSON.stringify(got.tags))
    }
  })

  await step('the archive of Baileys', async () => {
    const archived = value => data => data.change === 'archive' && data.value === value
    for (const value of [true, false]) {
      await client.socket.chatModify({ archive: value, lastMessages: [theirs] }, ana.lid)
      const got = await seen('chat_update', `the archive: ${value}`, archived(value))
      assert.equal(got.chatId, ana.pn)
    }
  })

  await step('the phone agrees with all of it', async () => {
    const { problems } = await simnet.call('GET', `/phones/${bot}/app-state`)
    assert.deepEqual(problems, [])
    const [state] = await simnet.call('GET', `/phones/${bot}/chats`)
    assert.equal(state.archived, false)
  })

  assert.deepEqual(client.complaints, [])
}
