// Baileys as somebody who writes with the engine's session: every kind of message in both
// directions, and what is done to messages afterwards.

import assert from 'node:assert/strict'
import { proto } from 'baileys'
import { Client } from '../client.mjs'
import { DOCUMENT, PICTURE, dataUrl } from '../files.mjs'
import { chosen, vote } from '../poll.mjs'

export default async function ({ simnet, engine, bot, step }) {
  const ana = await simnet.phone('6281700000002', 'Ana')
  const shop = await simnet.phone(bot, 'Shop')
  const client = await step('Baileys is linked', () => Client.link(simnet, ana))
  const names = { ana: [ana.pn, ana.lid], shop: [shop.pn, shop.lid] }
  // What the engine sees of a message, and does to one.
  const seen = (name, what, fits) => engine.log.wait(what, name, fits)
  const received = sent => seen('message_received', `message ${sent.key.id}`, data => data.messageId === sent.key.id)
  const act = (id, action, fields) => engine.act(id, action, { to: ana.number, ...fields })

  const text = await step('a text to the engine', async () => {
    const sent = await client.send(shop.pn, { text: 'good morning' })
    const got = await received(sent)
    assert.equal(got.text, 'good morning')
    assert.equal(got.sender, ana.pn)
    assert.equal(got.senderLid, ana.lid)
    assert.equal(got.pushName, 'Ana')
    return sent
  })

  const answer = await step('a text to Baileys, with quote and mention', async () => {
    const message = `@${ana.number} good morning to you`
    const fields = { to: ana.number, message, replyMessageId: text.key.id, mentions: [ana.number] }
    await engine.send('text', fields)
    const got = await client.text(message)
    assert.equal(got.key.remoteJid, shop.lid)
    assert.equal(got.key.remoteJidAlt, shop.pn)
    assert.equal(got.key.fromMe, false)
    assert.equal(got.pushName, 'Shop')
    const context = got.message.extendedTextMessage.contextInfo
    assert.equal(context.stanzaId, text.key.id)
    assert(names.ana.includes(context.participant), context.participant)
    assert.equal(context.quotedMessage.conversation ?? context.quotedMessage.extendedTextMessage.text, 'good morning')
    assert.equal(context.mentionedJid.length, 1)
    assert(names.ana.includes(context.mentionedJid[0]), context.mentionedJid[0])
    return got
  })

  await step('a text to the engine, with quote and mention', async () => {
    const content = { text: `@${bot} and how are you?`, mentions: [shop.pn] }
    const got = await received(await client.send(answer.key.remoteJid, content, { quoted: answer }))
    assert.equal(got.message.quoted.id, answer.key.id)
    assert.equal(got.message.quoted.sender, shop.pn)
    assert.equal(got.message.quoted.text, answer.message.extendedTextMessage.text)
    assert.deepEqual(got.message.mentions, [shop.pn])
  })

  await step('what was read', async () => {
    await client.socket.readMessages([answer.key])
    const read = data => data.messageId === answer.key.id && data.status === 'read'
    assert.equal((await seen('message_status', 'the read receipt', read)).by, ana.pn)
    await act(text.key.id, 'mark-as-read', {})
    const { READ } = proto.WebMessageInfo.Status
    const about = ({ key, update }) => key.id === text.key.id && update.status === READ
    await client.log.wait('the read receipt', 'messages.update', about)
  })

  await step('an image to Baileys', async () => {
    const media = dataUrl('image/png', PICTURE)
    const id = await engine.send('media', { to: ana.number, media, caption: 'our shop', compress: false })
    const got = await client.message('the image', ({ key }) => key.id === id)
    assert.equal(got.message.imageMessage.caption, 'our shop')
    assert.equal(got.message.imageMessage.mimetype, 'image/png')
    assert(PICTURE.equals(await client.file(got)), 'the bytes of the image')
  })

  await step('an image to the engine', async () => {
    const content = { image: PICTURE, mimetype: 'image/png', caption: 'my order', jpegThumbnail: '' }
    const got = await received(await client.send(shop.lid, content))
    assert.equal(got.contentType, 'image')
    assert.equal(got.text, 'my order')
    assert(PICTURE.equals(await engine.file(got.media.id)), 'the bytes of the image')
  })

  const sticker = await step('a sticker to Baileys', async () => {
    const id = await engine.send('sticker', { to: ana.number, sticker: dataUrl('image/png', PICTURE) })
    const got = await client.message('the sticker', ({ key }) => key.id === id)
    const { mimetype, width, height, fileLength } = got.message.stickerMessage
    assert.deepEqual([mimetype, width, height], ['image/webp', 512, 512])
    const file = await client.file(got)
    assert.equal(file.length, Number(fileLength))
    assert.equal(file.toString('latin1', 8, 12), 'WEBP')
    return file
  })

  await step('the same sticker to the engine', async () => {
    const got = await received(await client.send(shop.lid, { sticker }))
    assert.equal(got.contentType, 'sticker')
    assert(sticker.equals(await engine.file(got.media.id)), 'the bytes of the sticker')
  })

  await step('a document, a place and a contact to Baileys', async () => {
    const arrived = id => client.message(`message ${id}`, ({ key, message }) => key.id === id && message)
    const document = dataUrl('application/pdf', DOCUMENT)
    const file = await arrived(await engine.send('document', { to: ana.number, document, filename: 'prices.pdf' }))
    assert.equal(file.message.documentMessage.fileName, 'prices.pdf')
    assert(DOCUMENT.equals(await client.file(file)), 'the bytes of the document')
    const location = { latitude: -6.25, longitude: 106.5, name: 'The shop' }
    const place = await arrived(await engine.send('location', { to: ana.number, location }))
    const { degreesLatitude, degreesLongitude, name } = place.message.locationMessage
    assert.deepEqual({ latitude: degreesLatitude, longitude: degreesLongitude, name }, location)
    const contact = { fullName: 'Budi', phone: '+62 811-2222-3333' }
    const card = await arrived(await engine.send('contact', { to: ana.number, contact }))
    assert.equal(card.message.contactMessage.displayName, 'Budi')
    assert.match(card.message.contactMessage.vcard, /waid=6281122223333:/)
  })

  await step('a document, a place and a contact to the engine', async () => {
    const document = { document: DOCUMENT, mimetype: 'application/pdf', fileName: 'order.pdf' }
    const file = await received(await client.send(shop.lid, document))
    assert.deepEqual([file.contentType, file.media.fileName], ['document', 'order.pdf'])
    assert(DOCUMENT.equals(await engine.file(file.media.id)), 'the bytes of the document')
    const location = { degreesLatitude: 1.5, degreesLongitude: 2.5, name: 'Home' }
    const place = await received(await client.send(shop.lid, { location }))
    const { latitude, longitude, name } = place.message
    assert.deepEqual([place.contentType, latitude, longitude, name], ['location', 1.5, 2.5, 'Home'])
    const vcard = 'BEGIN:VCARD\nVERSION:3.0\nFN:Budi\nTEL;waid=6281122223333:+62 811 2222 3333\nEND:VCARD'
    const contacts = { contacts: { displayName: 'Budi', contacts: [{ displayName: 'Budi', vcard }] } }
    const card = await received(await client.send(shop.lid, contacts))
    assert.equal(card.message.contacts[0].phones[0].jid, '6281122223333@s.whatsapp.net')
  })

  await step('typing, a pin and a timer to the engine', async () => {
    const changed = name => seen('chat_update', name, data => data.change === name)
    await client.socket.sendPresenceUpdate('composing', shop.lid)
    await seen('presence_update', 'Ana typing', data => data.chatId === ana.pn && data.presence === 'composing')
    await client.send(shop.lid, { pin: answer.key, type: proto.PinInChat.Type.PIN_FOR_ALL, time: 86_400 })
    const pin = await changed('pin_message')
    assert.deepEqual([pin.key.id, pin.pinned], [answer.key.id, true])
    await client.send(shop.lid, { disappearingMessagesInChat: 86_400 })
    assert.equal((await changed('ephemeral')).value, 86_400)
    await client.send(shop.lid, { disappearingMessagesInChat: false })
  })

  await step('a poll to Baileys, and its vote', async () => {
    const id = await engine.send('poll', { to: ana.number, question: 'Tea?', options: ['Yes', 'No'], maxSelection: 1 })
    const { key, message } = await client.message('the poll', ({ key }) => key.id === id)
    assert.deepEqual(message.pollCreationMessageV3.options.map(option => option.optionName), ['Yes', 'No'])
    const cast = vote(message, key, { creator: shop.lid, voter: ana.lid }, ['No'])
    await client.socket.relayMessage(key.remoteJid, cast, {})
    const got = await seen('poll_vote', 'the vote', data => data.key.id === id)
    assert.deepEqual(got.options, ['No'])
    assert.equal(got.question, 'Tea?')
    assert.equal(got.voter, ana.pn)
  })

  await step("a poll to the engine, and its phone's vote", async () => {
    const poll = { name: 'Which?', values: ['Red', 'Green', 'Blue'], selectableCount: 0 }
    const sent = await client.send(shop.lid, { poll })
    const got = await received(sent)
    assert.equal(got.contentType, 'poll')
    assert.equal(got.message.question, 'Which?')
    assert.deepEqual(got.message.options, ['Red', 'Green', 'Blue'])
    await simnet.send(shop, { to: ana.number, vote: { id: sent.key.id, options: ['Red', 'Blue'] } })
    const cast = await client.message('the vote', ({ message }) => message?.pollUpdateMessage)
    assert.deepEqual(chosen(sent.message, cast.message.pollUpdateMessage, names.ana, names.shop), ['Red', 'Blue'])
    const noticed = await seen('poll_vote', "the phone's vote", data => data.key.id === sent.key.id)
    assert.deepEqual(noticed.options, ['Red', 'Blue'])
  })

  await step('a reaction to Baileys, put and taken off', async () => {
    const about = ({ key }) => key.id === text.key.id
    await act(text.key.id, 'reaction', { emoji: '👍' })
    const put = await client.log.wait('the reaction', 'messages.reaction', one => about(one) && one.reaction.text)
    assert.equal(put.reaction.text, '👍')
    assert.equal(put.key.fromMe, true)
    await act(text.key.id, 'unreaction', {})
    await client.log.wait('no reaction', 'messages.reaction', one => about(one) && !one.reaction.text)
  })

  await step('a reaction to the engine, put and taken off', async () => {
    const about = data => data.key.id === answer.key.id
    await client.send(answer.key.remoteJid, { react: { text: '🎉', key: answer.key } })
    const put = await seen('message_reaction', 'the reaction', data => about(data) && data.reaction)
    assert.equal(put.reaction, '🎉')
    assert.equal(put.key.fromMe, true)
    await client.send(answer.key.remoteJid, { react: { text: '', key: answer.key } })
    await seen('message_reaction', 'no reaction', data => about(data) && data.reaction === '')
  })

  await step('an edit to Baileys', async () => {
    await act(answer.key.id, 'edit', { message: 'good evening to you' })
    const about = ({ key, update }) => key.id === answer.key.id && update.message
    const { key, update } = await client.log.wait('the edit', 'messages.update', about)
    assert.equal(key.fromMe, false)
    const edited = update.message.editedMessage.message
    assert.equal(edited.conversation ?? edited.extendedTextMessage.text, 'good evening to you')
  })

  await step('an edit to the engine', async () => {
    await client.send(shop.lid, { text: 'good evening', edit: text.key })
    const got = await seen('message_edited', 'the edit', data => data.key.id === text.key.id)
    assert.equal(got.text, 'good evening')
    assert.equal(got.previous.text, 'good morning')
    assert.equal(got.key.fromMe, false)
  })

  await step('a message taken back from Baileys', async () => {
    await act(answer.key.id, 'revoke', {})
    const about = ({ key, update }) => key.id === answer.key.id && update.message === null
    await client.log.wait('the revocation', 'messages.update', about)
  })

  await step('a message taken back from the engine', async () => {
    await client.send(shop.lid, { delete: text.key })
    const got = await seen('message_revoked', 'the revocation', data => data.key.id === text.key.id)
    assert.equal(got.byAdmin ?? false, false)
    assert.equal(got.previous.text, 'good evening')
  })

  assert.deepEqual(client.complaints, [])

  await step('what no device of Ana can read, the engine sends to each again', async () => {
    await simnet.call('POST', '/faults', { kind: 'garble', count: 1, phone: bot, direction: 'out' })
    await engine.send('text', { to: ana.number, message: 'once more' })
    await client.text('once more')
    await simnet.shown(ana, 'the text', ({ text }) => text === 'once more')
  })

  await step('what no device of the shop can read, Baileys sends to each again', async () => {
    await simnet.call('POST', '/faults', { kind: 'garble', count: 1, phone: ana.number, direction: 'out' })
    const got = await received(await client.send(shop.lid, { text: 'and again' }))
    assert.equal(got.text, 'and again')
    await simnet.shown(shop, 'the text', ({ text }) => text === 'and again')
  })
}
