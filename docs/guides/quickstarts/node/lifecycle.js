// Follow what becomes of credentials: node lifecycle.js BROKERS GROUP [SINCE], SINCE as in 2026-11-01T00:00:00Z
import { Kafka, logLevel } from "kafkajs";

const [brokers, groupId, since] = process.argv.slice(2);
const topic = "credential.lifecycle.v1";
const { KAFKA_USER: username, KAFKA_PASSWORD: password } = process.env;
const kafka = new Kafka({
  brokers: brokers.split(","),
  logLevel: logLevel.ERROR,
  // An authority's brokers; those of `make up` know no users.
  ...(username && { ssl: true, sasl: { mechanism: "scram-sha-512", username, password } }),
});

const seen = new Set(); // yours is a unique column of your database, written together with what the event changes
const revoked = new Set();

function handle({ headers, value }) {
  if (value === null) return; // a tombstone: on a compacted topic its key is erased
  const id = headers.ce_id?.toString();
  if (seen.has(id)) return;
  const type = headers.ce_type?.toString();
  if (type === "org.bowerbirdbadges.credential.revoked.v1") {
    const event = JSON.parse(value);
    revoked.add(event.credential_id);
    console.log("revoked", event.credential_id, event.achievement);
  } else if (type === "org.bowerbirdbadges.credential.taken-down.v1") {
    const event = JSON.parse(value);
    console.log("delete", event.credential_id, event.achievement);
  } else if (type === "org.bowerbirdbadges.credential.issued.v1") {
    const event = JSON.parse(value);
    // It may have been revoked first.
    if (!revoked.has(event.credential_id)) console.log("issued", event.credential_id, event.achievement);
  } // else: a type of tomorrow, which is none of our business
  seen.add(id);
}

if (since) {
  // Begin with the first record that was published at this time or later, in each partition.
  const admin = kafka.admin();
  await admin.connect();
  const partitions = await admin.fetchTopicOffsetsByTimestamp(topic, Date.parse(since));
  await admin.setOffsets({ groupId, topic, partitions });
  await admin.disconnect();
}
const consumer = kafka.consumer({ groupId });
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
// The offset of a record is committed after its handler has returned.
await consumer.run({ eachMessage: async ({ message }) => handle(message) });
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => consumer.disconnect().then(() => process.exit(0)));
