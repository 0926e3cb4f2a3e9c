/** What others may build on: the endpoint, what goes in and comes out of it, and the messages. Everything else in this folder may change. */
export { createEndpoint, deadline, type Endpoint, isEmpty, step, tunnelViews } from "./core/endpoint.js";
export { ProtocolError } from "./core/errors.js";
export { formatIdentity, type Identity, parseIdentity } from "./core/identity.js";
export type { Mapping, Policy, TunnelPolicy } from "./core/policy.js";
export type { Report } from "./core/report.js";
export type { Answer, Context, Effect, Event, Instant, Question, Wish } from "./core/types.js";
export type { TunnelView } from "./core/view.js";
export { answerWith, datagramOf, messageIn, type PolicyWords, policyOf } from "./embedding.js";
export { decodeRawHeader, type IkeHeader, ikeHeader } from "./wire/header.js";
export { bodiesOf, decodeMessage, encodeMessage, type Message, type Payload, payload } from "./wire/message.js";
