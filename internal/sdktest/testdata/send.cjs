// Makes all six calls with one SDK: node send.cjs <sdk> <url> <write key> <userId>
'use strict'

const [sdk, url, writeKey, userId] = process.argv.slice(2)

const calls = [
  ['identify', { userId, traits: { email: `${userId}@example.com`, plan: 'pro' } }],
  ['track', { userId, event: 'Order Completed', properties: { order_id: 'o-1', total: 9.99 } }],
  ['page', { userId, name: 'Home' }],
  ['screen', { userId, name: 'Main' }],
  ['group', { userId, groupId: 'g1', traits: { name: 'Acme' } }],
  ['alias', { userId, previousId: `old-${userId}` }],
]

// The classic SDK reports to a callback per call, its successor as an event.
async function classic() {
  const Analytics = require(sdk)
  const analytics = new Analytics(writeKey, { host: url })
  const sent = calls.map(([name, message]) => new Promise((resolve, reject) => {
    analytics[name](message, (err) => (err ? reject(err) : resolve()))
  }))
  await analytics.flush()
  await Promise.all(sent)
}

async function current() {
  const { Analytics } = require(sdk)
  const analytics = new Analytics({ writeKey, host: url })
  const problems = []
  analytics.on('error', (err) => problems.push(err))
  for (const [name, message] of calls) analytics[name](message)
  await analytics.closeAndFlush()
  if (problems.length) throw new Error(JSON.stringify(problems))
}

const run = sdk === 'node-classic' ? classic : current
run().catch((err) => {
  console.error(err)
  process.exit(1)
})
