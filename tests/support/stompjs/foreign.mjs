// node foreign.mjs <client> <arguments as JSON>: one conversation with the hub by a client library, as its users write it.
// Prints what came as JSON; the test judges. `stompit` speaks TCP, `webstomp-client` WebSocket.
import stompit from "stompit";
import webstomp from "webstomp-client";

const DEADLINE_MS = 20000;

const within = (promise, what) =>
  Promise.race([
    promise,
    new Promise((_, reject) => setTimeout(() => reject(new Error(`not within ${DEADLINE_MS} ms: ${what}`)), DEADLINE_MS)),
  ]);

const mailbox = () => {
  const items = [];
  const takers = [];
  return {
    put: (item) => (takers.length ? takers.shift()(item) : items.push(item)),
    take: (what) => within(items.length ? Promise.resolve(items.shift()) : new Promise((done) => takers.push(done)), what),
    get waiting() {
      return items.length;
    },
  };
};

// Each library, brought to the same few words.
const libraries = {
  async stompit({ host, port, version, beatMs }) {
    const errors = mailbox();
    const connectHeaders = { host: "/", "accept-version": version, "heart-beat": `${beatMs},${beatMs}` };
    const client = await within(
      new Promise((done, fail) =>
        stompit.connect({ host, port, connectHeaders }, (error, made) => (error ? fail(error) : done(made))),
      ),
      "CONNECTED",
    );
    let beats = 0;
    client.getTransportSocket().on("data", (data) => (beats += data.length === 1 && data[0] === 10));
    client.on("error", (error) => errors.put(error.message));
    // It also destroys the stream of the ERROR frame with that error, which today's Node.js emits where nobody can listen.
    process.on("uncaughtException", (error) => errors.put(error.message));
    const receipt = (act) => within(new Promise((done) => act({ onReceipt: () => done(true) })), "a receipt");
    return {
      errors,
      beats: () => beats,
      subscribe(destination, ack, messages) {
        client.subscribe({ destination, ack }, (error, message) => {
          if (error) return; // told by the client, too
          message.readString("utf-8", (broken, body) => {
            const { headers } = message;
            const answers = { ack: () => client.ack(message), nack: () => client.nack(message) };
            messages.put({ body, headers, ...answers });
          });
        });
        return receipt((options) => client.sendString("/topic/nobody", "", options));
      },
      send: (destination, body) => receipt((options) => client.sendString({ destination }, body, options)),
      transaction(destination, bodies, commit) {
        const open = client.begin();
        for (const body of bodies) open.send({ destination }).end(body);
        return receipt((options) => (commit ? open.commit(options) : open.abort(options)));
      },
      settled: () => receipt((options) => client.sendString("/topic/nobody", "", options)),
      refuse: () => client.sendString("/nowhere", "x"),
      leave: () => within(new Promise((done) => client.disconnect((error) => done(!error))), "the end"),
    };
  },

  async "webstomp-client"({ url, version, beatMs }) {
    const errors = mailbox();
    const receipts = mailbox();
    const protocols = [`v${version.replace(".", "")}.stomp`];
    const client = webstomp.client(url, { debug: false, protocols, heartbeat: { outgoing: beatMs, incoming: beatMs } });
    let beats = 0;
    client.debug = (text) => (beats += text === "<<< PONG");
    await within(
      new Promise((done) =>
        client.connect({ host: "/" }, done, (error) => errors.put(error.headers?.message ?? `close ${error.code}`)),
      ),
      "CONNECTED",
    );
    client.onreceipt = (frame) => receipts.put(frame.headers["receipt-id"]);
    let number = 0;
    const send = async (destination, body) => {
      number += 1;
      client.send(destination, body, { receipt: `r-${number}` });
      return (await receipts.take("a receipt")) === `r-${number}`;
    };
    return {
      errors,
      beats: () => beats,
      subscribe(destination, ack, messages) {
        client.subscribe(destination, messages.put, { ack });
        return send("/topic/nobody", "");
      },
      send,
      transaction(destination, bodies, commit) {
        const open = client.begin();
        for (const body of bodies) client.send(destination, body, { transaction: open.id });
        if (commit) open.commit();
        else open.abort();
        return send("/topic/nobody", "");
      },
      settled: () => send("/topic/nobody", ""),
      refuse: () => client.send("/nowhere", "x"),
      leave: () => within(new Promise((done) => client.disconnect(() => done(true))), "the end"),
    };
  },
};

const conversation = async (library, parameters) => {
  const client = await libraries[library](parameters);
  const { name } = parameters;
  const topic = mailbox();
  const queue = mailbox();
  const result = { subscribed: await client.subscribe(`/topic/${name}`, "auto", topic) };

  result.receipt = await client.send(`/topic/${name}`, "Grüße, 雪 😀");
  result.body = (await topic.take("a message")).body;
  const large = "x".repeat(300000);
  await client.send(`/topic/${name}`, large);
  result.large = (await topic.take("a large message")).body === large;

  await client.subscribe(`/queue/${name}`, "client-individual", queue);
  for (const body of ["1", "2"]) await client.send(`/queue/${name}`, body);
  const [first, second] = [await queue.take("1"), await queue.take("2")];
  second.nack();
  const again = await queue.take("a redelivery");
  result.redelivered = [again.body, again.headers.redelivered];
  first.ack();
  again.ack();
  await client.settled();
  result.queue = queue.waiting;

  await client.transaction(`/topic/${name}`, ["dropped"], false);
  await client.transaction(`/topic/${name}`, ["a", "b"], true);
  result.transaction = [(await topic.take("a")).body, (await topic.take("b")).body];
  result.topic = topic.waiting;

  const before = client.beats();
  await within(
    new Promise((done) => {
      const look = setInterval(() => client.beats() >= before + 3 && done(clearInterval(look)), 20);
    }),
    "heart-beats",
  );
  result.alive = await client.send(`/topic/${name}`, "after the beats");

  if (parameters.refused) {
    client.refuse();
    result.error = await client.errors.take("ERROR");
  } else {
    result.left = await client.leave();
  }
  return result;
};

const [library, parameters] = process.argv.slice(2);
console.log(JSON.stringify(await conversation(library, JSON.parse(parameters))));
process.exit(0);
