import { Notification } from '@jupyterlab/apputils';

import { asMlopsError } from '../api';

/** Characters of a notification; more is cut by JupyterLab. */
const LIMIT = 140;

/** Do something for a person; what fails is said in a notification with its fix, and ends here. */
export async function attempt<T>(
  work: () => Promise<T>
): Promise<T | undefined> {
  try {
    return await work();
  } catch (reason) {
    reportError(reason);
    return undefined;
  }
}

export function reportError(reason: unknown): void {
  const error = asMlopsError(reason);
  Notification.error(brief(error.message, error.fix), { autoClose: 8000 });
}

/** Message and fix where both fit, else the message. */
export function brief(message: string, fix: string): string {
  const both = fix ? `${message} ${fix}` : message;
  if (both.length <= LIMIT) {
    return both;
  }
  return message.length <= LIMIT ? message : `${message.slice(0, LIMIT - 1)}…`;
}
