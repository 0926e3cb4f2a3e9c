/** Exit statuses, the same for every command. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** What the operator did or what happened, in a sentence; ends the command with its status. */
export class CommandError extends Error {
  readonly status: ExitStatus;

  constructor(status: ExitStatus, message: string) {
    super(message);
    this.status = status;
  }
}
