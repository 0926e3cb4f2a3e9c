/** The shape of every payload's codec. */
import type { Reader } from "./reader.js";
import type { Writer } from "./writer.js";

/**
 * From octets to meaning and back, without the generic payload header. `decode` gets a cursor over exactly the body;
 * whatever it leaves unread is an error. Values hold views of the received buffer.
 */
export interface PayloadCodec<Body> {
  decode(r: Reader): Body;
  encode(w: Writer, body: Body): void;
}
