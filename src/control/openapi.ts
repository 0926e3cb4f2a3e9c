/** The OpenAPI 3.1 document of the control API, made from the table of routes: its schemas are those that the server checks with. */
import { z } from "zod";
import type { Route } from "./route.js";
import { isReadOnly } from "./route.js";
import { controlError } from "./status-model.js";

type Json = Readonly<Record<string, unknown>>;

export function openApiDocument(routes: readonly Route<never>[], version: string): Json {
  const schemas: Record<string, unknown> = {};
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    paths[route.path]![route.method.toLowerCase()] = operationOf(route, schemas);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Causeway control API",
      version,
      description:
        "On the control socket every operation; on gateway.http those that only read, and the others with the token of " +
        "gateway.http.token.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "This gateway" }],
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "On gateway.http; the control socket asks for none." },
      },
    },
  };
}

function operationOf(route: Route<never>, schemas: Record<string, unknown>): Json {
  const { operation, summary, description, query, success = 200, response, streams, errors = {} } = route;
  const body = route.documentedBody ?? route.body;
  const parameters = [...pathParameters(route.path), ...headerParameters(route), ...queryParameters(query, schemas)];
  return {
    operationId: operation,
    summary,
    ...(description !== undefined && { description }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: route.needsBody ?? false,
        content: { "application/json": { schema: schemaOf(body, schemas) } },
      },
    }),
    responses: {
      [success]: {
        description: summary,
        ...(response && { content: { "application/json": { schema: schemaOf(response, schemas) } } }),
        ...(streams && { content: { [streams]: { schema: { type: "string" } } } }),
      },
      ...Object.fromEntries(Object.entries(errors).map(([status, why]) => [status, errorOf(why, schemas)])),
      default: errorOf("What was wrong, as a sentence.", schemas),
    },
    security: isReadOnly(route) ? [] : [{ token: [] }],
  };
}

function errorOf(description: string, schemas: Record<string, unknown>): Json {
  return { description, content: { "application/json": { schema: schemaOf(controlError, schemas) } } };
}

function pathParameters(path: string): readonly Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
}

function headerParameters({ takesHeaders = {} }: Route<never>): readonly Json[] {
  return Object.entries(takesHeaders).map(([name, description]) => ({
    name,
    in: "header",
    description,
    schema: { type: "string" },
  }));
}

function queryParameters(query: z.ZodType | undefined, schemas: Record<string, unknown>): readonly Json[] {
  if (!(query instanceof z.ZodObject)) return [];
  return Object.entries(query.shape as Record<string, z.ZodType>).map(([name, schema]) => {
    const { description, ...rest } = schemaOf(schema, schemas) as { description?: string };
    return { name, in: "query", ...(description !== undefined && { description }), schema: rest };
  });
}

/** What a schema takes. Named parts move to `components.schemas`. */
function schemaOf(schema: z.ZodType, schemas: Record<string, unknown>): Json {
  const { $schema: _, $defs = {}, ...root } = z.toJSONSchema(schema, { target: "draft-2020-12", io: "input" });
  for (const [name, part] of Object.entries($defs)) schemas[name] = rerooted(part);
  return rerooted(root) as Json;
}

function rerooted(part: unknown): unknown {
  return JSON.parse(JSON.stringify(part).replaceAll('"#/$defs/', '"#/components/schemas/'));
}
