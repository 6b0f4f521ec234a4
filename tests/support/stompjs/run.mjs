// node run.mjs <scenario> <arguments as JSON>: prints what the scenario gives as JSON.
import * as StompJs from "@stomp/stompjs";

globalThis.StompJs = StompJs;
await import("./scenarios.js");
const [scenario, parameters] = process.argv.slice(2);
console.log(JSON.stringify(await globalThis.scenarios[scenario](JSON.parse(parameters))));
process.exit(0);
