/** A profile as the keys of a tunnel. */
import { PROFILES, type Profile, type ProfileName, type Version } from "./profiles.js";
import type { TunnelBlock } from "./schema.js";

/** The keys that a profile says for a tunnel of this version, mode and permission. */
export function profileBlock(
  name: ProfileName,
  said: { readonly version?: Version; readonly aggressive: boolean; readonly legacy: boolean },
): TunnelBlock {
  const profile: Profile = PROFILES[name];
  const version = said.version ?? profile.version;
  const legacy = said.legacy ? profile.forbidden : undefined;
  const pfs = profile.pfs[version];
  const ike = [...profile.ike[version], ...(legacy ? [legacy.ike] : [])];
  return {
    ike: {
      version,
      proposals: said.aggressive ? ofOneGroup(ike) : ike,
      lifetime: profile.lifetimes.ike,
    },
    esp: {
      proposals: [...profile.esp[version], ...(legacy ? [legacy.esp] : [])],
      pfs: pfs === "off" ? pfs : [...pfs],
      lifetime: profile.lifetimes.esp,
      ...(profile.volume !== undefined && { volume: profile.volume }),
      ...(profile.espMarginSeconds !== undefined && { rekey_margin: profile.espMarginSeconds }),
      ...(profile.replayWindow !== undefined && { replay_window: profile.replayWindow }),
    },
    ...(profile.dpdSeconds !== undefined && { dpd: { timeout: profile.dpdSeconds } }),
  };
}

/** Aggressive mode sends its group first: the proposals with that of the first one, and of its groups the first. */
function ofOneGroup(proposals: readonly string[]): string[] {
  const group = (text: string) => text.split("-").filter((word) => /^(modp|ecp|x25519|x448)/.test(word));
  const first = group(proposals[0]!)[0]!;
  return proposals
    .filter((text) => group(text).includes(first))
    .map((text) =>
      text
        .split("-")
        .filter((word) => word === first || !group(text).includes(word))
        .join("-"),
    );
}

/** What the product would use if nobody changed it there, and is left out here; undefined: nothing. */
export function withheld(name: ProfileName, legacy: boolean): string | undefined {
  const { forbidden, title }: Profile = PROFILES[name];
  if (forbidden === undefined || legacy) return undefined;
  return (
    `a ${title} that nobody has changed uses ${forbidden.ike} and ${forbidden.esp}, which are left out without legacy: true; ` +
    "choose stronger algorithms there (the profile offers them), or write legacy: true into the tunnel"
  );
}
