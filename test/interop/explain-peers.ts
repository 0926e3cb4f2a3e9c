/** A peer with the many connections of the matrix of `explain`, each at an address of its own. */
import { BASE, CHILD_LIFETIME, LIFETIME } from "./explain-base.js";
import type { ExplainMode, ExplainRow, Told } from "./explain-rows.js";
import { ENVIRONMENT } from "./libreswan.js";
import { libreswanProposal } from "./libreswan-words.js";
import type { Place } from "./place.js";
import { PSK, WRONG_PSK } from "./scenario.js";

/** A row at its place. */
export interface ExplainCase {
  readonly name: string;
  readonly row: ExplainRow;
  /** The peer's outer address. */
  readonly address: string;
  readonly id: { readonly ours: string; readonly peer: string };
  readonly net: { readonly ours: string; readonly peer: string; readonly elsewhere: string };
}

export interface ExplainPeerControl {
  load(cases: readonly ExplainCase[]): Promise<void>;
  /** Begins the connections in which we are the responder; what comes of it is seen from our side. */
  call(cases: readonly ExplainCase[]): Promise<void>;
  unload(cases: readonly ExplainCase[]): Promise<void>;
}

/** What the peer is told in a case. */
function settings({ row, id, net }: ExplainCase) {
  const told: Told = row.theirs;
  const mode: ExplainMode = told.mode ?? row.mode;
  return {
    ...told,
    mode,
    ike: told.ike ?? BASE[row.mode].ike,
    esp: told.esp ?? BASE[row.mode].esp,
    localId: told.localId ?? id.peer,
    remoteId: told.remoteId ?? id.ours,
    psk: told.otherPsk ? WRONG_PSK : PSK,
    own: told.otherNet ? net.elsewhere : net.peer,
    lifetime: told.lifetime ?? LIFETIME,
  };
}

export function strongSwanMatrix(place: Place, ours: string): ExplainPeerControl {
  const environment = `export STRONGSWAN_CONF=${place.path("charon.conf")}`;
  const swanctl = (words: string) => `swanctl ${words} --uri unix://${place.path("charon.vici")}`;
  const load = async (text: string): Promise<void> => {
    const file = await place.file("explain-swanctl.conf", text);
    await place.shell(`${environment}\n${swanctl(`--load-all --clear --file ${file}`)}`);
  };
  const connection = (one: ExplainCase): string => {
    const { mode, ike, esp, pfs, localId, remoteId, own, auth, lifetime } = settings(one);
    return `
  ${one.name} {
    version = ${mode === "ikev2" ? 2 : 1}
    ${mode === "aggressive" ? "aggressive = yes" : ""}
    local_addrs = ${one.address}
    remote_addrs = ${ours}
    proposals = ${ike}
    mobike = no
    ${mode === "ikev2" ? "rekey_time = 8h" : `reauth_time = ${lifetime - 600}s\n    rekey_time = 0s\n    rand_time = 0s\n    over_time = 600s`}
    local {
      auth = ${auth === "eap" ? "eap" : "psk"}
      id = ${localId}
    }
    ${auth === "xauth" ? "local-2 {\n      auth = xauth\n    }" : ""}
    remote {
      auth = ${auth === "wants-pubkey" ? "pubkey" : "psk"}
      id = ${remoteId}
    }
    ${auth === "wants-xauth" ? "remote-2 {\n      auth = xauth\n    }" : ""}
    children {
      net {
        local_ts = ${own}
        remote_ts = ${one.net.ours}
        esp_proposals = ${esp}${pfs ? `-${pfs}` : ""}
        life_time = ${CHILD_LIFETIME}s
        rekey_time = ${CHILD_LIFETIME - 600}s
        rand_time = 0s
      }
    }
  }`;
  };
  const secret = (one: ExplainCase): string => {
    const { localId, remoteId, psk } = settings(one);
    return `\n  ike-${one.name} {\n    id-1 = ${localId}\n    id-2 = ${remoteId}\n    secret = "${psk}"\n  }`;
  };
  return {
    load: (cases) =>
      load(`connections {${cases.map(connection).join("")}\n}\nsecrets {${cases.map(secret).join("")}\n}\n`),
    call: async (cases) =>
      void (await place.shell(
        `${environment}\n${cases
          .map(
            ({ name }) => `(${swanctl(`--initiate --ike ${name} --child net --timeout 3`)} || true) > /dev/null 2>&1 &`,
          )
          .join("\n")}\nwait`,
        60,
      )),
    async unload(cases) {
      await load("connections {\n}\nsecrets {\n}\n");
      const all = cases.map(({ name }) => `${swanctl(`--terminate --ike ${name} --force --timeout 1`)} || true`);
      await place.shell(`${environment}\n${all.join("\n")}`, 60);
    },
  };
}

export function libreswanMatrix(place: Place, ours: string): ExplainPeerControl {
  const whack = (words: string) => `whack --ctlsocket /run/pluto/pluto.ctl ${words}`;
  const shell = (script: string): Promise<string> => place.shell(`${ENVIRONMENT}\n${script}`, 60);
  const connection = (one: ExplainCase): string => {
    const { mode, ike, esp, pfs, localId, remoteId, own, transport, lifetime } = settings(one);
    return `
conn ${one.name}
  ${mode === "ikev2" ? "ikev2=insist" : "ikev2=no"}
  ${mode === "aggressive" ? "aggressive=yes" : ""}
  authby=secret
  left=${one.address}
  leftid=@${localId}
  leftsubnet=${transport ? `${one.address}/32` : own}
  leftupdown=/bin/true
  right=${ours}
  rightid=@${remoteId}
  rightsubnet=${transport ? `${ours}/32` : one.net.ours}
  ike=${libreswanProposal(ike.replace("-prfsha256", ""))}
  esp=${libreswanProposal(esp)}
  pfs=${pfs ? "yes" : "no"}
  ${transport ? "type=transport" : ""}
  ikelifetime=${lifetime}s
  salifetime=${CHILD_LIFETIME}s
  auto=add
`;
  };
  return {
    async load(cases) {
      const secrets = cases.map((one) => {
        const { localId, remoteId, psk } = settings(one);
        return `@${localId} @${remoteId} : PSK "${psk}"\n`;
      });
      await place.file("pluto.secrets", secrets.join(""));
      const conf = await place.file("explain.conf", `config setup\n${cases.map(connection).join("")}`);
      const names = cases.map(({ name }) => name).join(" ");
      await shell(
        `${whack("--listen")}\n${whack("--rereadsecrets")}\naddconn --config ${conf} --ctlsocket /run/pluto/pluto.ctl ${names}`,
      );
    },
    call: async (cases) =>
      void (await shell(
        cases.map(({ name }) => `${whack(`--initiate --name ${name} --asynchronous`)} || true`).join("\n"),
      )),
    unload: async (cases) =>
      void (await shell(cases.map(({ name }) => `${whack(`--delete --name ${name}`)} || true`).join("\n"))),
  };
}
