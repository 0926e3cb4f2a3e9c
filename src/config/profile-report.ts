/** A profile as `check` and `explain` show it. */
import { quirksOfProfile } from "../../ike/core/quirks.js";
import { PROFILES, type ProfileName } from "./profiles.js";

export interface ProfileReport {
  readonly name: ProfileName;
  readonly title: string;
  /** Where its figures come from. */
  readonly source: string;
  /** What the product is known to do otherwise than expected. */
  readonly quirks: { what: string; remedy: string; source: string }[];
}

/** Null: the tunnel names none. */
export function profileReport(name: ProfileName | undefined): ProfileReport | null {
  if (name === undefined) return null;
  const { title, source } = PROFILES[name];
  const quirks = quirksOfProfile(name).map((quirk) => ({
    what: quirk.what,
    remedy: quirk.remedy,
    source: quirk.source,
  }));
  return { name, title, source, quirks };
}
