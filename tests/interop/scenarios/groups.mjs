// Baileys and the engine's session in groups that either of them made: sender keys both ways, and a
// virtual phone among the members.

import assert from 'node:assert/strict'
import { Client } from '../client.mjs'
import { vote } from '../poll.mjs'

export default async function ({ simnet, engine, bot, step }) {
  const ana = await simnet.phone('6281700000002', 'Ana')
  const budi = await simnet.phone('6281700000003', 'Budi')
  const shop = await simnet.phone(bot, 'Shop')
  const client = await step('Baileys is linked', () => Client.link(simnet, ana))
  const seen = (name, what, fits) => engine.log.wait(what, name, fits)
  const received = sent => seen('message_received', `message ${sent.key.id}`, data => data.messageId === sent.key.id)
  const on = (phone, text) => simnet.shown(phone, JSON.stringify(text), one => one.text === text)

  const theirs = await step('Baileys makes a group', async () => {
    const { id, participants } = await client.socket.groupCreate('Orders', [shop.pn, budi.pn])
    assert.equal(participants.length, 3)
    const got = await seen('group_join', 'the group', data => data.chatId === id)
    assert.equal(got.subject, 'Orders')
    assert.equal(got.author, ana.pn)
    return id
  })

  const question = await step('Baileys writes in it', async () => {
    const sent = await client.send(theirs, { text: `@${bot} are you there?`, mentions: [shop.pn] })
    const got = await received(sent)
    assert.equal(got.chatId, theirs)
    assert.equal(got.isGroup, true)
    assert.equal(got.sender, ana.pn)
    assert.deepEqual(got.message.mentions, [shop.pn])
    await on(budi, sent.message.extendedTextMessage.text)
    return sent
  })

  const answer = await step('the engine answers in it', async () => {
    await engine.send('text', { to: theirs, message: 'we are here', replyMessageId: question.key.id })
    const got = await client.text('we are here')
    assert.equal(got.key.remoteJid, theirs)
    assert.equal(got.key.participant, shop.lid)
    assert.equal(got.key.participantAlt, shop.pn)
    assert.equal(got.message.extendedTextMessage.contextInfo.stanzaId, question.key.id)
    await on(budi, 'we are here')
    return got
  })

  await step('both use their sender keys again', async () => {
    const sent = await client.send(theirs, { text: 'good' })
    assert.equal((await received(sent)).text, 'good')
    await engine.send('text', { to: theirs, message: 'what will it be?' })
    await client.text('what will it be?')
  })

  await step('a poll of the engine, and the vote of Baileys', async () => {
    const id = await engine.send('poll', { to: theirs, question: 'Tea?', options: ['Yes', 'No'], maxSelection: 0 })
    const { key, message } = await client.message('the poll', ({ key }) => key.id === id)
    await client.socket.relayMessage(theirs, vote(message, key, { creator: shop.pn, voter: ana.pn }, ['Yes']), {})
    const got = await seen('poll_vote', 'the vote', data => data.key.id === id)
    assert.deepEqual(got.options, ['Yes'])
    assert.equal(got.voter, ana.pn)
  })

  await step('reactions, edits and revocations cross', async () => {
    await client.send(theirs, { react: { text: '👍', key: answer.key } })
    const put = await seen('message_reaction', 'the reaction', data => data.key.id === answer.key.id)
    assert.equal(put.reaction, '👍')
    assert.equal(put.key.fromMe, true)
    await client.send(theirs, { text: 'is anybody there?', edit: question.key })
    const edited = await seen('message_edited', 'the edit', data => data.key.id === question.key.id)
    assert.equal(edited.text, 'is anybody there?')
    await client.send(theirs, { delete: question.key })
    await seen('message_revoked', 'the revocation', data => data.key.id === question.key.id)
    await engine.act(answer.key.id, 'edit', { to: theirs, message: 'we are always here' })
    const about = ({ key }) => key.id === answer.key.id
    const edit = one => about(one) && one.update.message
    const { update } = await client.log.wait('the edit', 'messages.update', edit)
    const text = update.message.editedMessage.message
    assert.equal(text.conversation ?? text.extendedTextMessage.text, 'we are always here')
    await engine.act(answer.key.id, 'revoke', { to: theirs })
    const gone = one => about(one) && one.update.message === null
    await client.log.wait('the revocation', 'messages.update', gone)
  })

  await step('the engine makes a group and writes in it', async () => {
    const fields = { groupName: 'Delivery', participants: [ana.number, budi.number] }
    const { results } = await engine.call('POST', '/group/create', fields)
    const { groupId } = results[0]
    const group = await client.log.wait('the group', 'groups.upsert', ({ id }) => id === groupId)
    assert.equal(group.subject, 'Delivery')
    assert.deepEqual(new Set(group.participants.map(one => one.id)), new Set([ana.lid, budi.lid, shop.lid]))
    await engine.send('text', { to: groupId, message: 'on our way' })
    const got = await client.text('on our way')
    assert.equal(got.key.remoteJid, groupId)
    const sent = await client.send(groupId, { text: 'thank you' })
    const heard = await received(sent)
    assert.equal(heard.chatId, groupId)
    assert.equal(heard.sender, ana.pn)
    await on(budi, 'on our way')
    await on(budi, 'thank you')
  })

  assert.deepEqual(client.complaints, [])
}
