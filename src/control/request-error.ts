/** A request that is not answered with what it wants: the status, and a sentence for whoever asked. */
export class RequestError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

export function noTunnel(name: string): RequestError {
  return new RequestError(404, `there is no tunnel "${name}"`);
}
