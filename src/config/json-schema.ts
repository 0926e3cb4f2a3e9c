/** The JSON Schema (draft 2020-12) of the configuration file, for editors. It describes what stands in the file, before its defaults. */
import { z } from "zod";
import { configurationSchema } from "./schema.js";

/** Formatted as the committed file is. */
export function configurationJsonSchema(): string {
  const schema = z.toJSONSchema(configurationSchema, { target: "draft-2020-12", io: "input" });
  const { $schema, ...rest } = schema;
  const titled = { $schema, title: "Causeway gateway configuration", ...rest };
  return `${JSON.stringify(titled, null, 2)}\n`;
}
