// What @stomp/stompjs does against the hub, once for Node.js (run.mjs) and once for a browser (loaded into a page).
// A classic script: it takes the library from globalThis.StompJs and leaves its scenarios in globalThis.scenarios.
// Each gives plain data that the test judges; nothing is judged here.
(() => {
  const DEADLINE_MS = 20000;

  const within = (promise, what) =>
    Promise.race([
      promise,
      new Promise((_, reject) => setTimeout(() => reject(new Error(`not within ${DEADLINE_MS} ms: ${what}`)), DEADLINE_MS)),
    ]);

  // A queue to wait on: `put` from callbacks, `take` in the scenario.
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

  const makeClient = (url, options = {}) => {
    const connects = mailbox();
    const closes = mailbox();
    const errors = mailbox();
    const { versions, ...rest } = options;
    const client = new StompJs.Client({
      brokerURL: url,
      reconnectDelay: 0,
      heartbeatIncoming: 0,
      heartbeatOutgoing: 0,
      onConnect: (frame) => connects.put(frame.headers),
      onStompError: (frame) => errors.put({ headers: frame.headers, body: frame.body }),
      onWebSocketClose: (event) => closes.put({ code: event.code, reason: event.reason }),
      ...rest,
    });
    if (versions) client.stompVersions = new StompJs.Versions(versions);
    return { client, connects, closes, errors };
  };

  const open = async (url, options) => {
    const made = makeClient(url, options);
    made.client.activate();
    made.connected = await made.connects.take("CONNECTED");
    return made;
  };

  const receiptOf = (client, act) => {
    const receipt = `receipt-${Math.random()}`;
    const came = new Promise((done) => client.watchForReceipt(receipt, () => done(true)));
    act(receipt);
    return within(came, "a receipt");
  };

  const subscribe = async (client, destination, headers = {}) => {
    const messages = mailbox();
    let subscription;
    await receiptOf(client, (receipt) => {
      subscription = client.subscribe(destination, messages.put, { ...headers, receipt });
    });
    return { messages, subscription };
  };

  const sizes = (bytes) => ({ length: bytes.length, sum: bytes.reduce((sum, octet) => (sum * 31 + octet) % 1000003, 7) });

  globalThis.scenarios = {
    async bodies({ url, name, options, key }) {
      const { client, connected } = await open(url, options);
      const { messages } = await subscribe(client, `/topic/${name}`);
      const texts = ["plain", "Grüße, 雪 😀", "a\0b\0", "", "\n", "x".repeat(1 << 20), "😀".repeat(100000)];
      const echoed = [];
      for (const body of texts) {
        client.publish({ destination: `/topic/${name}`, body, headers: { key } });
        const message = await messages.take("a text");
        echoed.push(message.body === body && message.headers.key === key);
      }
      const octets = Uint8Array.from({ length: 70000 }, (_, index) => index % 256);
      client.publish({ destination: `/topic/${name}`, binaryBody: octets });
      const binary = sizes((await messages.take("a binary body")).binaryBody);
      await client.deactivate();
      return { version: connected.version, echoed, binary, expected: sizes(octets) };
    },

    async acknowledge({ url, name, options, ack }) {
      const { client } = await open(url, options);
      const { messages } = await subscribe(client, `/queue/${name}`, { ack });
      for (const body of ["1", "2", "3"]) client.publish({ destination: `/queue/${name}`, body });
      const first = [await messages.take("1"), await messages.take("2"), await messages.take("3")];
      first[1].nack();
      const count = ack === "client" ? 2 : 1;
      const again = [];
      for (let taken = 0; taken < count; taken += 1) again.push(await messages.take("a redelivery"));
      const told = again.map((message) => [message.body, message.headers.redelivered]);
      first[2].ack();
      if (ack === "client-individual") {
        first[0].ack();
        again[0].ack();
      }
      const closed = await receiptOf(client, (receipt) => client.publish({ destination: "/topic/x", headers: { receipt } }));
      await client.deactivate();
      return { first: first.map((message) => message.headers.redelivered), again: told, closed };
    },

    async transactions({ url, name, options }) {
      const { client } = await open(url, options);
      const { messages } = await subscribe(client, `/topic/${name}`);
      const send = (body, transaction) =>
        client.publish({ destination: `/topic/${name}`, body, headers: transaction ? { transaction } : {} });
      const dropped = client.begin();
      send("dropped", dropped.id);
      dropped.abort();
      const kept = client.begin();
      send("1", kept.id);
      send("2", kept.id);
      send("before");
      kept.commit();
      const bodies = [];
      for (let taken = 0; taken < 3; taken += 1) bodies.push((await messages.take("a message")).body);
      await client.deactivate();
      return { bodies, more: messages.waiting };
    },

    async unsubscribe({ url, name, options }) {
      const { client, closes } = await open(url, options);
      const { messages, subscription } = await subscribe(client, `/topic/${name}`);
      subscription.unsubscribe();
      await receiptOf(client, (receipt) =>
        client.publish({ destination: `/topic/${name}`, body: "x", headers: { receipt } }),
      );
      await client.deactivate();
      return { messages: messages.waiting, close: await closes.take("the close") };
    },

    async refusal({ url }) {
      const { client, errors, closes } = await open(url);
      client.publish({ destination: "/nowhere", headers: { receipt: "r" } });
      const error = await errors.take("ERROR");
      const close = await closes.take("the close");
      await client.deactivate();
      return { error, close };
    },

    async heartBeats({ url, beats }) {
      const came = mailbox();
      const { client } = await open(url, {
        heartbeatIncoming: 500,
        heartbeatOutgoing: 500,
        debug: (text) => text === "<<< PONG" && came.put(text),
      });
      for (let beat = 0; beat < beats; beat += 1) await came.take("a heart-beat");
      const connected = client.connected;
      await client.deactivate();
      return { connected };
    },

    // The page hangs, as far as the hub can see.
    async mute({ url }) {
      const { client, closes } = await open(url, { heartbeatIncoming: 500, heartbeatOutgoing: 500 });
      client.webSocket.send = () => {};
      const close = await closes.take("the close");
      await client.deactivate();
      return { close };
    },

    // The hub is stopped by the test.
    async hubLost({ url }) {
      const lost = mailbox();
      const { client } = await open(url, {
        heartbeatIncoming: 500,
        heartbeatOutgoing: 500,
        discardWebsocketOnCommFailure: true,
        onHeartbeatLost: () => lost.put(true),
      });
      await subscribe(client, "/topic/open");
      const noticed = await lost.take("the loss of heart-beats");
      await client.deactivate({ force: true });
      return { noticed };
    },

    async reconnect({ url, name, options }) {
      const { client, connects, closes } = makeClient(url, { ...options, reconnectDelay: 100 });
      client.activate();
      await connects.take("CONNECTED");
      await subscribe(client, `/topic/${name}`);
      const close = await closes.take("the close");
      await connects.take("CONNECTED again");
      const { messages } = await subscribe(client, `/topic/${name}`);
      client.publish({ destination: `/topic/${name}`, body: "after" });
      const body = (await messages.take("a message")).body;
      await client.deactivate();
      return { close, body };
    },
  };
})();
