/**
 * The one error that panels show, whatever went wrong.
 */
import type { components } from './api-types';

type Schemas = components['schemas'];

/** What went wrong, where, and how to get on: the server's error body as an exception. */
export class MlopsError extends Error {
  constructor(
    body: Partial<Schemas['Error']> & { message: string },
    readonly status: number = 0,
    options?: ErrorOptions
  ) {
    super(body.message, options);
    this.name = 'MlopsError';
    this.code = body.code ?? 'error';
    this.fix = body.fix ?? '';
    this.notebook = body.notebook ?? null;
    this.cell = body.cell ?? null;
    this.line = body.line ?? null;
    this.diagnostics = body.diagnostics ?? [];
  }

  /** Stable, for documentation and search. */
  readonly code: string;
  /** What the person can do about it; may be empty. */
  readonly fix: string;
  readonly notebook: string | null;
  /** Index among all cells, from 0. */
  readonly cell: number | null;
  /** Line of that cell, from 1. */
  readonly line: number | null;
  /** All findings where a notebook was refused. */
  readonly diagnostics: ReadonlyArray<Schemas['Diagnostic']>;
}

/** Everything a panel shows as an error is one of ours; what is not becomes a bug of ours. */
export function asMlopsError(reason: unknown): MlopsError {
  if (reason instanceof MlopsError) {
    return reason;
  }
  const message = reason instanceof Error ? reason.message : String(reason);
  return new MlopsError({ code: 'bug', message }, 0, { cause: reason });
}
