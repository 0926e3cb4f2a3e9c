/**
 * The gateways of a topology in containers, by podman or docker: `near` and `far` are the namespaces of two containers that do
 * nothing but hold them; Causeway and charon run in containers of their own that share these, as their images start them.
 *
 * scripts/interop.mjs makes the images and says in CAUSEWAY_INTEROP_ENGINE which engine there is and what they are called.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { must, type Running, start } from "../child.js";

export interface Engine {
  readonly driver: "podman" | "docker";
  /** The program with what it needs on every call. */
  readonly argv: readonly string[];
  readonly images: { readonly causeway: string; readonly strongswan: string };
}

/** Of containers and of the namespaces around them: they wait for no other suite. */
export const CONTAINER_PREFIX = "causeway-boxes";
/** One whole run of a suite; then the container ends by itself. */
const LIFE_SECONDS = 3600;
/** What a container may open and start: engines ask for more than some hosts permit. */
const LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
/** All that Causeway is given, beside its image and its folder. */
export const CAUSEWAY_RIGHTS = [
  ...["--cap-drop", "all", "--cap-add", "NET_ADMIN", "--cap-add", "NET_BIND_SERVICE", "--cap-add", "NET_RAW"],
  ...["--device", "/dev/net/tun"],
];
const PEER_RIGHTS = ["--cap-add", "NET_ADMIN", "--cap-add", "NET_RAW", "--device", "/dev/net/tun"];
/** The user `causeway` of the image (packaging/Dockerfile). */
export const CAUSEWAY_UID = 990;

/** The engine of this run; undefined where namespaces alone are wanted. */
export function engineOfRun(): Engine | undefined {
  const told = process.env.CAUSEWAY_INTEROP_ENGINE;
  return told === undefined ? undefined : (JSON.parse(told) as Engine);
}

export interface Containers {
  /** Starts the container that holds the namespace of `name`, and returns a process in it. */
  hold(name: string): Promise<number>;
  /** Makes the container of our gateway in the namespace of `holder`; the folder has the same path inside, or `seenAs`. */
  gateway(holder: string, folder: string, command: readonly string[], seenAs?: string): Promise<Program>;
  /** charon in the namespace of `holder`, with a folder as well; `start` takes its strongswan.conf. */
  charon(holder: string, folder: string, seenAs?: string): { inside: Program["inside"]; start(conf: string): Running };
  close(): Promise<void>;
}

/** A program in a container that is started and ended as often as wanted. */
export interface Program {
  /** The command line that starts it, prints what it says, passes SIGTERM on and ends with its status. */
  readonly start: readonly string[];
  /** The command line of another program beside it. */
  inside(...argv: string[]): string[];
}

export async function openContainers(engine: Engine): Promise<Containers> {
  const full = (name: string): string => `${CONTAINER_PREFIX}-${process.pid}-${name}`;
  const call = (...words: string[]): string[] => [...engine.argv, ...words];
  /** Those that live in the namespace of another one before it: the engines refuse the other order. */
  const remove = (names: readonly string[]): void => {
    const options = ["--force", "--volumes", ...(engine.driver === "podman" ? ["--time", "0", "--ignore"] : [])];
    for (const some of [names.filter((name) => !isHolder(name)), names.filter(isHolder)]) {
      const [program, ...rest] = call("rm", ...options, ...some);
      // Synchronous: it runs at exit.
      if (some.length > 0) execFileSync(program!, rest, { timeout: 60_000, stdio: ["ignore", "ignore", "inherit"] });
    }
  };
  const listed = (await must(call("ps", "--all", "--format", "{{.Names}}"), { seconds: 30 })).split("\n");
  remove(listed.filter((name) => isLeftOver(name)));

  const made: string[] = [];
  const removeOwn = (): void => {
    try {
      remove(made.splice(0));
    } catch (error) {
      console.error(`containers of this run may be left: ${(error as Error).message}`);
    }
  };
  process.on("exit", removeOwn);
  const shared = (holder: string, folder: string, seenAs: string): string[] => [
    ...["--network", `container:${full(holder)}`, "--volume", `${folder}:${seenAs}`],
    ...LIMITS,
  ];
  const inside =
    (name: string) =>
    (...argv: string[]): string[] =>
      call("exec", full(name), ...argv);

  return {
    async hold(name) {
      made.push(full(name));
      const words = ["--name", full(name), "--network", "none", ...LIMITS, "--entrypoint", "sleep"];
      await must(call("run", "--detach", ...words, engine.images.strongswan, String(LIFE_SECONDS)), { seconds: 60 });
      const pid = await must(call("inspect", "--format", "{{.State.Pid}}", full(name)), { seconds: 20 });
      return Number(pid);
    },
    async gateway(holder, folder, command, seenAs = folder) {
      const name = `${holder}-causeway`;
      made.push(full(name));
      const words = ["--name", full(name), ...CAUSEWAY_RIGHTS, ...shared(holder, folder, seenAs)];
      await must(call("create", ...words, engine.images.causeway, ...command), { seconds: 60 });
      return { start: call("start", "--attach", full(name)), inside: inside(name) };
    },
    charon(holder, folder, seenAs = folder) {
      const name = `${holder}-charon`;
      const words = ["--name", full(name), ...PEER_RIGHTS, ...shared(holder, folder, seenAs)];
      return {
        inside: inside(name),
        start(conf) {
          made.push(full(name));
          const argv = call("run", ...words, "--env", `STRONGSWAN_CONF=${conf}`, engine.images.strongswan);
          return start(argv, { seconds: LIFE_SECONDS });
        },
      };
    },
    async close() {
      removeOwn();
      process.off("exit", removeOwn);
    },
  };
}

/** The names of the others end with what runs in them. */
function isHolder(name: string): boolean {
  return !/-(causeway|charon)$/.test(name);
}

/** Of a process that is no more: it was killed before it could remove them. */
function isLeftOver(name: string): boolean {
  const pid = new RegExp(`^${CONTAINER_PREFIX}-(\\d+)-`).exec(name)?.[1];
  return pid !== undefined && !existsSync(`/proc/${pid}`);
}
