// Votes in polls, which Baileys opens but does not cast.

import { aesEncryptGCM, decryptPollVote, hmacSign, proto } from 'baileys'
import { createHash, randomBytes } from 'node:crypto'

const hash = option => createHash('sha256').update(option).digest()

// A vote for `options` in a poll, with the addresses of its creator and of the voter.
export function vote(poll, key, { creator, voter }, options) {
  const sign = Buffer.from([key.id, creator, voter, 'Poll Vote', '\x01'].join(''))
  const secret = hmacSign(sign, hmacSign(poll.messageContextInfo.messageSecret, new Uint8Array(32)))
  const plain = proto.Message.PollVoteMessage.encode({ selectedOptions: options.map(hash) }).finish()
  const encIv = randomBytes(12)
  const encPayload = aesEncryptGCM(plain, secret, encIv, Buffer.from(`${key.id}\0${voter}`))
  const update = { pollCreationMessageKey: key, vote: { encPayload, encIv }, senderTimestampMs: Date.now() }
  return { pollUpdateMessage: update }
}

// What a vote chose, by the names that creator and voter may have in its seal.
export function chosen(poll, { pollCreationMessageKey: { id }, vote }, creators, voters) {
  const { options } = poll.pollCreationMessage ?? poll.pollCreationMessageV3
  for (const pollCreatorJid of creators)
    for (const voterJid of voters) {
      try {
        const pollEncKey = poll.messageContextInfo.messageSecret
        const opened = decryptPollVote(vote, { pollCreatorJid, pollMsgId: id, pollEncKey, voterJid })
        const hashes = opened.selectedOptions.map(option => Buffer.from(option))
        return options.map(option => option.optionName).filter(name => hashes.some(one => one.equals(hash(name))))
      } catch {
        // The seal has another name.
      }
    }
  throw new Error(`the vote in ${id} opens with none of the names`)
}
