/** A gateway without IKE: the data plane in a process of its own (in a namespace of its own), told what to do by its parent. */
import { readdirSync, readlinkSync } from "node:fs";
import type { DataplaneSettings, FromWorker, ToWorker } from "../../src/dataplane/protocol.js";
import { type Counters, type Dataplane, startDataplane } from "../../src/dataplane/start.js";

export type Command =
  | { readonly do: "start"; readonly settings: DataplaneSettings }
  | { readonly do: "post"; readonly message: ToWorker }
  | { readonly do: "counters" }
  | { readonly do: "usage" }
  | { readonly do: "stop" };

export type Told =
  | { readonly kind: "message"; readonly message: FromWorker }
  | { readonly kind: "counters"; readonly counters: Counters }
  | {
      readonly kind: "usage";
      readonly cpuMicroseconds: number;
      readonly rssBytes: number;
      readonly descriptors: readonly string[];
    }
  | { readonly kind: "stopped" };

const tell = (told: Told) => void process.send!(told);
let dataplane: Dataplane | undefined;

process.on("message", async (command: Command) => {
  switch (command.do) {
    case "start":
      dataplane = startDataplane(command.settings, (message) => tell({ kind: "message", message }));
      return;
    case "post":
      dataplane!.post(command.message);
      return;
    case "counters":
      tell({ kind: "counters", counters: await dataplane!.counters() });
      return;
    case "usage": {
      const { user, system } = process.cpuUsage();
      tell({
        kind: "usage",
        cpuMicroseconds: user + system,
        rssBytes: process.memoryUsage.rss(),
        descriptors: descriptors(),
      });
      return;
    }
    case "stop":
      await dataplane!.stop();
      tell({ kind: "stopped" });
      return;
  }
});
process.on("disconnect", () => process.exit(0));

/** What the process has open: sockets and the TUN device are told by their links. */
function descriptors(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the listing's own
    }
  });
}
